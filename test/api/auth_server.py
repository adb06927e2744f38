#!/usr/bin/env python3
"""A server that wants to know who asks: token endpoints that rotate, a login, keys in three places, signed requests.

auth_server.py PORT_FILE [CERTIFICATE KEY CLIENT_CA]: listens on a free port of loopback and writes it to the file. Ends at the
end of its standard input. GET /_requests: what was asked, as JSON. /_expire: the access tokens given so far are refused.
/_refresh?TOKEN: the refresh token that is taken next. /redirect?to=URL and /next?to=URL lead there, with credentials; /never
refuses everybody. /_hold?PATH: requests of the path are not answered before /_release.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import ssl
import sys
import threading
import urllib.parse

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
lock = threading.Lock()
released = threading.Event()
requests = []
state = {"refresh": "canary-refresh-0", "used": set(), "number": 0, "valid": set(), "lifetime": 3600, "held": None}


def signature_is_right(method, target, headers, body):
    """AWS Signature Version 4, by the book."""
    given = headers.get("authorization", "")
    if not given.startswith("AWS4-HMAC-SHA256 Credential="):
        return False
    parts = dict(part.strip().split("=", 1) for part in given[len("AWS4-HMAC-SHA256 "):].split(","))
    _, date, region, service, _ = parts["Credential"].split("/")
    path, _, query = target.partition("?")
    pairs = sorted((urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~"))
                   for k, v in urllib.parse.parse_qsl(query, keep_blank_values=True))
    names = parts["SignedHeaders"].split(";")
    canonical = "\n".join([method, urllib.parse.quote(path, safe="/-_.~"), "&".join("%s=%s" % pair for pair in pairs),
                           "".join("%s:%s\n" % (name, " ".join(headers.get(name, "").split())) for name in names),
                           parts["SignedHeaders"], hashlib.sha256(body).hexdigest()])
    scope = "%s/%s/%s/aws4_request" % (date, region, service)
    text = "\n".join(["AWS4-HMAC-SHA256", headers.get("x-amz-date", ""), scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for word in (date, region, service, "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), parts["Signature"])


def new_token():
    state["number"] += 1
    token = "canary-access-%d" % state["number"]
    state["valid"].add(token)
    return token


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.serve()

    def do_POST(self):
        self.serve()

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        with lock:
            if path == "/_requests":
                return self.answer(200, requests)
            if path == "/_expire":
                state["valid"].clear()
                return self.answer(200, {})
            if path == "/_lifetime":
                state["lifetime"] = int(self.path.partition("?")[2])
                return self.answer(200, {})
            if path == "/_refresh":
                state["refresh"] = self.path.partition("?")[2]
                return self.answer(200, {})
            if path == "/_hold":
                released.clear()
                state["held"] = self.path.partition("?")[2]
                return self.answer(200, {})
            if path == "/_release":
                state["held"] = None
                released.set()
                return self.answer(200, {})
            requests.append({"path": path, "target": self.path, "headers": headers, "body": body.decode()})
            if path != state["held"]:
                return self.route(path, headers, body)
        released.wait()
        with lock:
            return self.route(path, headers, body)

    def route(self, path, headers, body):
        if path == "/token":
            return self.token(headers, dict(urllib.parse.parse_qsl(body.decode())))
        if path == "/login":
            return self.login(json.loads(body))
        if path == "/signed":
            right = signature_is_right(self.command, self.path, headers, body)
        elif path == "/bearer":
            right = headers.get("authorization", "").replace("Bearer ", "", 1) in state["valid"] | {"canary-key"}
        elif path == "/basic":
            right = headers.get("authorization") == "Basic " + base64.b64encode(b"ada:canary-key").decode()
        elif path == "/key":
            query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
            right = "canary-key" in (headers.get("x-key"), query.get("key")) or "sid=canary-key" in headers.get("cookie", "")
        elif path in ("/redirect", "/next"):
            return self.lead(path, dict(urllib.parse.parse_qsl(self.path.partition("?")[2])), headers)
        elif path == "/last":
            return self.answer(200, {"data": [{"id": 2}]})
        else:
            right = path == "/open"
        return self.answer(200, [{"id": 1}]) if right else self.answer(401, {"error": "unauthorized"})

    def lead(self, path, query, headers):
        """To another place, whoever has the key or a token."""
        given = (headers.get("x-key"), query.get("key"), headers.get("authorization", "").replace("Bearer ", "", 1))
        if not set(given) & (state["valid"] | {"canary-key"}):
            return self.answer(401, {"error": "unauthorized"})
        if path == "/next":
            return self.answer(200, {"data": [{"id": 1}], "next": query["to"]})
        self.send_response(302)
        self.send_header("Location", query["to"])
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def token(self, headers, form):
        basic = "Basic " + base64.b64encode(b"client:canary-secret").decode()
        if form.get("client_secret") != "canary-secret" and headers.get("authorization") != basic:
            return self.answer(400, {"error": "invalid_client"})
        answer = {"token_type": "Bearer", "expires_in": state["lifetime"], "instance_url": "http://" + headers["host"]}
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != state["refresh"]:
                state["valid"].clear()          # reuse: RFC 9700 section 4.14.2
                return self.answer(400, {"error": "invalid_grant"})
            state["refresh"] = "canary-refresh-%d" % (state["number"] + 1)
            answer["refresh_token"] = state["refresh"]
        answer["access_token"] = new_token()
        return self.answer(200, answer)

    def login(self, body):
        if body != {"user": "ada", "password": "canary-key"}:
            return self.answer(403, {})
        return self.answer(200, {"data": {"session": new_token()}, "valid_for": str(state["lifetime"])})

    def log_message(self, *args):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        context.load_verify_locations(sys.argv[4])
        context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write("%d" % server.server_port)
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    sys.stdin.read()


if __name__ == "__main__":
    main()
