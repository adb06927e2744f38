#!/usr/bin/env python3
"""A sample HTTP/JSON API on loopback, for the demo, the tests and the benchmark.

    python3 test/api/sample_api.py [--port 0] [--port-file FILE] [--seed S] [--until-eof]

Deterministic data, all usual ways of paging, wrapping and authenticating,
faults on request, data that tests can change, and a log of requests that tests
can read back.  README.md beside this file documents the addresses.
"""

import argparse
import base64
import http.client
import http.server
import itertools
import json
import os
import socketserver
import sys
import threading
import time
import urllib.parse

import chaos
import faults
import imitations
from imitations.base import Call
from ledger import Ledgers, send_part
from sample_data import Data, ReferenceItems

BEARER = "test-token"
BASIC = "user:secret"
API_KEY = "test-key"

# What a path prefix (/paging/cursor/users) or the query (/users?paging=cursor) may say.
DIRECTIVES = ("auth", "paging", "envelope", "fault", "format", "size", "cap", "chaos", "overlap")
PAGE_SIZE = 100
MAX_LOG = 20000
# A cursor of that length is that of a page which is not given again.
AGAIN = 30
MAX_BODY = 64 * 1024 * 1024


class Response:
    """An answer before it is sent."""

    def __init__(self):
        self.status = 200
        self.headers = {"Content-Type": "application/json; charset=utf-8"}
        self.body = b""
        self.hold = None
        self.sent = None

    def set_json(self, value, status=200):
        self.status = status
        self.headers["Content-Type"] = "application/json; charset=utf-8"
        self.body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def head(self, length=-1, chunked=False):
        """The status line and headers; length None leaves Content-Length out, -1 is the body's."""
        reason = http.client.responses.get(self.status, "Status")
        lines = ["HTTP/1.1 %d %s" % (self.status, reason)]
        lines += ["%s: %s" % header for header in self.headers.items()]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        elif length is not None:
            lines.append("Content-Length: %d" % (len(self.body) if length < 0 else length))
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class SampleServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """One listening port; the two ports of a sample API share one state."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address, state):
        super().__init__(address, Handler)
        self.state = state

    def server_bind(self):
        # Without HTTPServer's look-up of the host's name, which may ask a name server.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        """Clients hang up in the middle as a matter of course; anything else is a bug to see."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class State:
    """What all connections share: data, counters, the log of requests, the ports."""

    def __init__(self, seed):
        self.data = Data(seed)
        self.items = ReferenceItems(seed)
        self.counters = faults.Counters()
        self.gates = faults.Gates()
        self.chaos = chaos.Account()
        self.imitations = imitations.create()
        self.ledgers = Ledgers()
        self.connections = itertools.count(1)
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.in_flight = 0
        self.log = []
        self.ports = []

    def record(self, entry):
        """Logs a request, and how many wait for their answer to begin at that time, itself among them."""
        with self.lock:
            self.in_flight += 1
            entry["in_flight"] = self.in_flight
            self.log.append(entry)
            del self.log[:-MAX_LOG]

    def answered(self):
        with self.lock:
            self.in_flight -= 1

    def requests(self, path=None):
        with self.lock:
            return [entry for entry in self.log if path is None or entry["path"] == path]

    def clear_log(self):
        with self.lock:
            self.log.clear()


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 300

    def setup(self):
        super().setup()
        self.state = self.server.state
        self.connection_id = next(self.state.connections)

    def log_message(self, format, *args):
        """Keeps the terminal quiet; GET /_requests is the log."""

    def do_GET(self):
        self.answer()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET

    # --- the request ---

    def answer(self):
        """Reads the request, works out the response, applies the faults and sends it."""
        self.read_request()
        try:
            self.answer_request()
        finally:
            self.stop_counting()

    def stop_counting(self):
        """Before the answer's first byte, as the client may send its next request as soon as it has the last one."""
        if self.counted:
            self.counted = False
            self.state.answered()

    def answer_request(self):
        if self.segments[:1] and self.segments[0].startswith("_"):
            response = self.control()
        else:
            response = self.respond()
        if self.command == "HEAD":
            self.stop_counting()
            self.send_bytes(response.head())
            return
        send = None
        for fault in self.faults:
            if fault.name not in faults.ANSWERS and fault.name not in faults.SENDERS:
                response.set_json({"error": "no such fault: " + fault.name}, 400)
            elif self.state.counters.due(fault, self.path):
                if fault.name in faults.ANSWERS:
                    faults.ANSWERS[fault.name](self, fault, response)
                else:
                    send = (faults.SENDERS[fault.name], fault)
        if self.entry is not None:
            self.entry["status"] = response.status
        self.stop_counting()
        if response.hold is not None:
            send_part(self, response)
        elif send:
            send[0](self, send[1], response)
        else:
            # In two pieces: joining them would copy the body of every page.
            self.send_bytes(response.head())
            self.send_bytes(response.body)
        if response.sent is not None:
            response.sent.set()

    def read_request(self):
        """Takes the request apart: path segments, query, directives and body; logs it."""
        length = min(int(self.headers.get("Content-Length") or 0), MAX_BODY)
        body = self.rfile.read(length).decode("utf-8", "replace") if length else ""
        parts = urllib.parse.urlsplit(self.path)
        self.route = parts.path
        self.query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        self.segments = [urllib.parse.unquote(part) for part in parts.path.split("/") if part]
        self.directives = {name: values[-1] for name, values in self.query.items() if name in DIRECTIVES}
        while len(self.segments) > 2 and self.segments[0] in DIRECTIVES:
            self.directives[self.segments[0]] = self.segments[1]
            del self.segments[:2]
        self.faults = faults.parse(self.directives.get("fault", ""))
        if "chaos" in self.directives:
            self.faults += self.state.chaos.faults_of(self.directives["chaos"], self.path)
        self.body = body
        self.entry = None
        self.counted = False
        if not self.route.startswith("/_"):
            self.entry = {"number": next(self.state.numbers), "time": time.time(), "connection": self.connection_id,
                          "port": self.server.server_port, "method": self.command, "target": self.path,
                          "path": self.route,
                          "query": {k: v if len(v) > 1 else v[0] for k, v in self.query.items()},
                          "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
            self.state.record(self.entry)
            self.counted = True

    def parameter(self, *names):
        """A parameter by any of its names: from the query, else from a JSON object as body."""
        for name in names:
            if name in self.query:
                return self.query[name][-1]
        if self.body.startswith("{"):
            try:
                fields = json.loads(self.body)
            except ValueError:
                return None
            for name in names:
                if fields.get(name) is not None:
                    return str(fields[name])
        return None

    def number(self, default, *names):
        """A parameter as a number that is not negative."""
        value = self.parameter(*names)
        return max(0, int(value)) if value not in (None, "") else default

    def origin(self):
        return "http://127.0.0.1:%d" % self.server.server_port

    def other_origin(self):
        """The same API at another origin (port)."""
        return "http://127.0.0.1:%d" % [port for port in self.state.ports if port != self.server.server_port][0]

    def target_with(self, **changes):
        """This request's target with query parameters set."""
        pairs = [(k, v) for k, values in self.query.items() for v in values if k not in changes]
        return self.route + "?" + urllib.parse.urlencode(pairs + list(changes.items()))

    def target_without(self, directive):
        """This request's target without a directive."""
        segments, kept = self.route.strip("/").split("/"), []
        while segments:
            if segments[0] == directive and len(segments) > 2:
                del segments[:2]
            else:
                kept.append(segments.pop(0))
        pairs = [(k, v) for k, values in self.query.items() for v in values if k != directive]
        return "/" + "/".join(kept) + ("?" + urllib.parse.urlencode(pairs) if pairs else "")

    # --- the response ---

    def respond(self):
        """The response to a request for data, before faults."""
        response = Response()
        try:
            if not self.authorized():
                response.headers["WWW-Authenticate"] = "Bearer"
                response.set_json({"error": {"code": 401, "message": "missing or wrong credentials"}}, 401)
            elif self.segments == ["items"]:
                offset, limit = self.number(0, "offset"), self.number(1000, "limit")
                response.body = self.state.items.page(offset, limit, self.number(1000000, "count"))
            elif self.segments[:1] == ["apis"] and self.segments[1:2] and self.segments[1] in self.state.imitations:
                self.state.imitations[self.segments[1]].answer(Call(self, self.segments[1]), response)
            elif self.segments[:1] == ["ledger"] and len(self.segments) == 2:
                self.state.ledgers.answer(self, self.segments[1], response)
            elif self.segments[:1] == ["echo"]:
                response.set_json([self.entry])
            else:
                self.respond_records(response)
        except ValueError as error:
            response.set_json({"error": {"code": 400, "message": str(error)}}, 400)
        return response

    def authorized(self):
        """Whether the request has the credentials that its "auth" directive asks for."""
        wanted = self.directives.get("auth")
        given = self.headers.get("Authorization", "")
        if wanted is None:
            return True
        if wanted == "bearer":
            return given == "Bearer " + BEARER
        if wanted == "basic":
            return given == "Basic " + base64.b64encode(BASIC.encode()).decode()
        if wanted == "key":
            cookie = "api_key=%s" % API_KEY in self.headers.get("Cookie", "").replace(" ", "").split(";")
            return API_KEY in (self.headers.get("X-Api-Key"), self.parameter("api_key")) or cookie
        raise ValueError("no such auth: " + wanted)

    def respond_records(self, response):
        """A collection, a customer's orders, or one record."""
        size = self.directives.get("size")
        records = self.state.data.collection(self.segments[0] if self.segments else "", size and int(size))
        if records is not None and len(self.segments) == 3 and self.segments[0::2] == ["customers", "orders"]:
            records = [r for r in self.state.data.collection("orders") if r["customer_id"] == int(self.segments[1])]
        elif records is not None and len(self.segments) == 2:
            found = [r for r in records if str(r["id"]) == self.segments[1]]
            if found:
                response.set_json(found[0])
                return
            records = None
        elif len(self.segments) != 1:
            records = None
        if records is None:
            response.set_json({"error": {"code": 404, "message": "not found"}}, 404)
            return
        self.page_of(self.select(records), response)

    def select(self, records):
        """The records that the filters of the request leave."""
        customers = self.query.get("customer_id")
        if customers:
            records = [r for r in records if str(r.get("customer_id")) in customers]
        since = self.parameter("updated_since", "since")
        if since:
            records = [r for r in records if r["updated_at"] >= since.replace("+00:00", "Z")]
        before = self.parameter("updated_before", "until")
        if before:
            records = [r for r in records if r["updated_at"] < before.replace("+00:00", "Z")]
        return records

    def page_of(self, records, response):
        """Cuts the page that is asked for and wraps it as asked."""
        paging = self.directives.get("paging") or self.guess_paging()
        total = len(records)
        limit = self.number(PAGE_SIZE if paging else total, "limit", "per_page", "page_size", "_limit")
        limit = max(1, min(limit, int(self.directives.get("cap", 10 ** 9))))
        extra = {}
        if paging in ("page", "link"):
            page = max(1, self.number(1, "page", "_page"))
            step = limit - (chaos.overlap(self.directives["overlap"], "", limit // 2) if "overlap" in self.directives else 0)
            start = (page - 1) * step
            extra["total_pages"] = (max(0, total - limit) + step - 1) // step + (total > 0)
            if paging == "link" and start + limit < total:
                next_url, last_url = self.target_with(page=page + 1), self.target_with(page=extra["total_pages"])
                response.headers["Link"] = '<%s>; rel="last", <%s%s>; rel="next"' % (last_url, self.origin(), next_url)
        elif paging == "cursor":
            start, again = self.overlapped(self.cursor_start(), limit)
            extra["has_more"] = start + limit < total
            extra["next_cursor"] = self.cursor_at(start + limit, again) if extra["has_more"] else None
            if extra["has_more"]:
                response.headers["X-Next-Cursor"] = extra["next_cursor"]
        elif paging == "keyset":
            after = self.number(0, "after", "cursor", "since_id")
            start = sum(1 for record in records if record["id"] <= after)
            start, _ = self.overlapped(start, limit, whole=False)
            extra["has_more"] = start + limit < total
        elif paging in ("offset", "next_url", "next_path"):
            start = self.number(0, "offset")
            if paging != "offset":
                more = self.target_with(offset=start + limit) if start + limit < total else None
                extra["next"] = more and (self.origin() + more if paging == "next_url" else more)
        elif paging is None:
            start = 0
        else:
            raise ValueError("no such paging: " + paging)
        response.headers["X-Total-Count"] = str(total)
        self.wrap(records[start:start + limit], dict(extra, total=total), paging, response)

    def guess_paging(self):
        """The style that the parameters speak of, where none is named; None is everything at once."""
        if self.parameter("page", "_page"):
            return "page"
        return "offset" if self.parameter("offset", "limit") else None

    def overlapped(self, start, limit, whole=True):
        """Where a page really begins that should begin at start, and whether it is the page before once more."""
        seed = self.directives.get("overlap")
        if seed is None or start < limit:
            return start, False
        if whole and len(self.parameter("cursor", "starting_after")) < AGAIN and chaos.repeats(seed, start):
            return start - limit, True
        return start - chaos.overlap(seed, start, limit), False

    @staticmethod
    def cursor_at(start, again=False):
        """An opaque cursor, with characters that have to be escaped in a URL; behind a page that came again a longer one."""
        return base64.b64encode(b"after?%0*d>>" % (AGAIN if again else 1, start)).decode()

    def cursor_start(self):
        cursor = self.parameter("cursor", "starting_after")
        if not cursor:
            return 0
        text = base64.b64decode(cursor, validate=True).decode()
        if not (text.startswith("after?") and text.endswith(">>")):
            raise ValueError("bad cursor")
        return int(text[6:-2])

    def wrap(self, page, extra, paging, response):
        """Puts the page into its envelope."""
        in_body = paging in ("cursor", "keyset", "next_url", "next_path")
        envelope = self.directives.get("envelope") or ("data" if in_body else "root")
        if self.directives.get("format") == "ndjson":
            response.headers["Content-Type"] = "application/x-ndjson"
            response.body = "".join(json.dumps(record) + "\n" for record in page).encode()
        elif envelope == "root":
            response.set_json(page)
        elif envelope == "data":
            response.set_json(dict(data=page, **extra))
        elif envelope == "results":
            response.set_json(dict(results=page, **extra))
        elif envelope == "nested":
            response.set_json({"meta": extra, "data": {"items": page}})
        elif envelope == "null":
            response.set_json(dict(data=None, **extra))
        else:
            raise ValueError("no such envelope: " + envelope)

    # --- what tests steer ---

    def control(self):
        """The addresses that begin with an underscore."""
        response = Response()
        name = self.segments[0]
        if name == "_requests" and self.command == "DELETE":
            self.state.clear_log()
            response.set_json({"cleared": True})
        elif name == "_requests":
            response.set_json(self.state.requests(self.parameter("path")))
        elif name == "_chaos" and self.command == "DELETE":
            self.state.chaos.reset()
            response.set_json({"cleared": True})
        elif name == "_chaos":
            response.set_json(self.state.chaos.state(self.number(0, "requests"), self.number(0, "timeout")))
        elif name == "_control" and self.command == "POST":
            self.apply_control(response)
        elif name == "_control":
            response.set_json(self.state.data.state())
        elif name == "_apis" and self.segments[1:2] and self.segments[1] in self.state.imitations:
            self.imitation_control(self.state.imitations[self.segments[1]], response)
        elif name == "_ledger" and self.segments[1:]:
            request = json.loads(self.body) if self.body else {}
            response.set_json(self.state.ledgers.control(self.command, self.segments[1:], request))
        elif name == "_warm":
            count, limit = self.number(1000000, "count"), self.number(1000, "limit")
            size = sum(len(self.state.items.page(offset, limit, count)) for offset in range(0, count, limit))
            response.set_json({"items": count, "bytes": size})
        else:
            response.set_json({"error": {"code": 404, "message": "not found"}}, 404)
        return response

    def apply_control(self, response):
        try:
            request = json.loads(self.body or "{}")
            if request.get("reset"):
                self.state.data.reset()
                self.state.counters.reset()
                self.state.gates.reset()
                for imitation in self.state.imitations.values():
                    imitation.reset()
                self.state.clear_log()
            self.state.gates.open(request.get("open", []))
            self.state.data.change(request)
            response.set_json(self.state.data.state())
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            response.set_json({"error": {"code": 400, "message": str(error)}}, 400)

    def imitation_control(self, imitation, response):
        """What a test wants of an imitation, and what it may expect of it."""
        try:
            response.set_json(imitation.control(json.loads(self.body) if self.body else {}))
        except (ValueError, AttributeError) as error:
            response.set_json({"error": {"code": 400, "message": str(error)}}, 400)

    # --- sending ---

    def send_bytes(self, data):
        self.connection.sendall(data)

    def send_chunk(self, data):
        """One chunk of a chunked body; an empty one ends it."""
        self.connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))


def start(port=0, seed=1):
    """Starts an API in background threads; returns its two servers, the second for the other origin."""
    state = State(seed)
    servers = [SampleServer(("127.0.0.1", port), state), SampleServer(("127.0.0.1", 0), state)]
    state.ports = [server.server_port for server in servers]
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    return servers


def main():
    parser = argparse.ArgumentParser(description="A sample HTTP/JSON API on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one (default)")
    parser.add_argument("--port-file", help="file that gets the port, and on a second line the other origin's")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other data")
    parser.add_argument("--until-eof", action="store_true",
                        help="end when standard input does, so with whoever holds its other end, however that ends")
    options = parser.parse_args()
    servers = start(options.port, options.seed)
    ports = "".join("%d\n" % server.server_port for server in servers)
    if options.port_file:
        # Renamed into place, so that a reader never sees half of it.
        with open(options.port_file + ".tmp", "w") as file:
            file.write(ports)
        os.rename(options.port_file + ".tmp", options.port_file)
    print(ports.split()[0], flush=True)
    try:
        if options.until_eof:
            sys.stdin.buffer.read()
        else:
            threading.Event().wait()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
