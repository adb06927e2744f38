#!/usr/bin/env python3
"""A server on loopback that does what no server should, for tests of what clients do then.

    python3 test/api/evil.py --port-file FILE

Each address is a case, /CASE?OPTION=VALUE: the functions below whose names begin
with "case_".  It listens at 127.0.0.1 on two ports (the second is another origin)
and at 127.0.0.2 and ::1 (where there is one) on the first of them too, which
nobody has allowed a client to reach.  GET /_log is every request so far as it came, also what
came to be proxied; DELETE /_log forgets them.  It ends when its standard input does.
"""

import argparse
import ctypes
import gzip
import itertools
import json
import os
import socket
import socketserver
import sys
import threading
import time
import urllib.parse
import zlib

ITEMS = b'[{"id":1,"name":"one"},{"id":2,"name":"two"}]'
POISON = b'[{"id":666,"name":"poison"}]'

# Nothing goes on for longer than this, nor is larger, whatever a client puts up with.
MAX_SECONDS = 60
MAX_BYTES = 512 * 1024 ** 2


def response(body=ITEMS, status="200 OK", length=None, *lines):
    """A whole response; length: another Content-Length than the true one."""
    head = ["HTTP/1.1 " + status, "Content-Type: application/json",
            "Content-Length: %s" % (len(body) if length is None else length)] + list(lines)
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body


def items(kind, count):
    """(Content-Type, body) with count items; 2: those of ITEMS."""
    rows = [{"id": i, "name": "name %d" % i} for i in range(1, count + 1)]
    if kind == "ndjson":
        return "application/x-ndjson", "".join(json.dumps(row) + "\n" for row in rows).encode()
    if kind == "csv":
        return "text/csv", ("id,name\n" + "".join("%d,%s\n" % (row["id"], row["name"]) for row in rows)).encode()
    return "application/json", json.dumps(rows).encode()


def brotli(body):
    """With the encoder that is installed along with the decoder; Python has none."""
    library = ctypes.CDLL("libbrotlienc.so.1")
    size = ctypes.c_size_t(len(body) + 1024)
    packed = ctypes.create_string_buffer(size.value)
    if not library.BrotliEncoderCompress(5, 22, 0, ctypes.c_size_t(len(body)), body, ctypes.byref(size), packed):
        raise RuntimeError("brotli failed")
    return packed.raw[:size.value]


def encode(coding, body):
    """By the names of Content-Encoding; also raw: deflate without its wrapping, and members: gzip in two parts."""
    if coding == "identity":
        return body
    if coding == "deflate":
        return zlib.compress(body)
    if coding == "raw":
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(body) + packer.flush()
    if coding == "br":
        return brotli(body)
    if coding == "members":
        return gzip.compress(body[:10]) + gzip.compress(b"") + gzip.compress(body[10:])
    return gzip.compress(body)


def bomb(size, times=1, coding="gzip"):
    """size spaces in an array, gzipped; over and over: gzip of gzip."""
    if coding == "br":
        return brotli(b"[" + b" " * size + ITEMS[1:])
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * 2 ** 20
    packed = packer.compress(b"[") + b"".join(packer.compress(block) for _ in range(size // len(block)))
    packed += packer.compress(ITEMS[1:]) + packer.flush()
    for _ in range(times - 1):
        packed = gzip.compress(packed, 9)
    return packed


class Client:
    """One connection: its requests, one after the other."""

    def __init__(self, connection, server, number):
        self.connection = connection
        self.server = server
        self.number = number
        self.end = time.time() + MAX_SECONDS
        self.open = True

    def serve(self):
        stream = self.connection.makefile("rb")
        while self.open:
            line = stream.readline(65537)
            if not line.strip():
                return
            raw, length = [line], 0
            while raw[-1].strip():
                raw.append(stream.readline(65537))
                if raw[-1].lower().startswith(b"content-length:"):
                    length = int(raw[-1].split(b":")[1])
            self.body = stream.read(length)
            self.head = b"".join(raw).decode("latin-1")
            self.target = line.split()[1].decode("latin-1")
            self.answer()

    def answer(self):
        parts = urllib.parse.urlsplit(self.target)
        self.options = {k: v[-1] for k, v in urllib.parse.parse_qs(parts.query, keep_blank_values=True).items()}
        if parts.path == "/_log":
            log = self.server.state.log
            self.send(response(json.dumps(log).encode()))
            if self.head.startswith("DELETE"):
                log.clear()
            return
        self.server.state.log.append({
            "connection": self.number, "address": self.server.server_address[0], "port": self.server.server_address[1],
            "target": self.target, "path": parts.path, "head": self.head, "body": self.body.decode("latin-1")})
        case = globals().get("case_" + parts.path.strip("/").split("/")[0])
        if case is None:
            self.send(response(b'{"error":"no such case"}', "404 Not Found"))
        else:
            case(self)

    def send(self, data):
        self.connection.sendall(data)

    def close(self):
        self.open = False

    def go_on(self, sent=0):
        """Is there time, and room, for more?"""
        return time.time() < self.end and sent < MAX_BYTES

    def origin(self, other=False):
        ports = self.server.state.ports
        return "http://127.0.0.1:%d" % ports[1 if other else 0]


# --- where to go: redirects and next pages ---

def case_items(client):
    client.send(response())


def case_redirect(client):
    """To an address as it is given, with a status as it is given."""
    client.send(response(b"", client.options.get("status", "302") + " Elsewhere", None,
                         "Location: " + urllib.parse.unquote(client.options["to"])))


def case_bounce(client):
    """To the other origin and from there back here."""
    here = client.server.server_address[1] == client.server.state.ports[0]
    client.send(response(b"", "302 Elsewhere", None, "Location: " + client.origin(other=here) + ("/bounce" if here else "/items")))


def case_pingpong(client):
    """Between the two origins, for ever."""
    here = client.server.server_address[1] == client.server.state.ports[0]
    client.send(response(b"", "302 Elsewhere", None, "Location: " + client.origin(other=here) + "/pingpong"))


def case_next(client):
    """A page whose next one is at an address as it is given."""
    client.send(response(json.dumps({"data": json.loads(ITEMS), "next": client.options["to"]}).encode()))


def case_link(client):
    client.send(response(ITEMS, "200 OK", None, 'Link: <%s>; rel="next"' % client.options["to"]))


def case_cookie(client):
    client.send(response(ITEMS, "200 OK", None, "Set-Cookie: session=stolen; Path=/", "Set-Cookie: other=1",
                         "Alt-Svc: h2=\"127.0.0.2:%d\"; ma=3600" % client.server.state.ports[0],
                         "Strict-Transport-Security: max-age=3600",
                         *(['Link: </items>; rel="next"'] if "next" in client.options else [])))


# --- the header ---

def case_header_flood(client):
    """Header lines without an end."""
    client.send(b"HTTP/1.1 200 OK\r\n")
    sent, block = 0, b"X-Flood: a\r\n" * 1000
    while client.go_on(sent):
        client.send(block)
        sent += len(block)


def case_header_line(client):
    """One header line without an end."""
    client.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    sent, block = 0, b"a" * 65536
    while client.go_on(sent):
        client.send(block)
        sent += len(block)


def case_header_drip(client):
    """A byte of a header at a time."""
    client.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while client.go_on():
        client.send(b"a")
        time.sleep(0.05)


def case_interim(client):
    """Interim responses without an end."""
    block = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n" * 100
    while client.go_on():
        client.send(block)


def case_few_interim(client):
    """Two interim responses, then the one: their headers are none of it."""
    client.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </poison>; rel=\"next\"\r\n\r\n" + response())


def case_upgrade(client):
    client.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + ITEMS)
    client.close()


def case_header_nul(client):
    client.send(response(ITEMS, "200 OK", None, "X-Nul: a\0b"))


def case_header_bytes(client):
    """A header that is no text, which is looked at for the next page."""
    client.send(response(ITEMS, "200 OK", None, "Link: \xff\xfe\x01<\xc3>; rel=\xff", "X-\xff: \xff"))


def case_two_lengths(client):
    client.send(response(ITEMS, "200 OK", None, "Content-Length: 5"))


def case_no_length(client):
    client.send(response(ITEMS, "200 OK", "%d bytes" % len(ITEMS)))
    client.close()


def case_negative_length(client):
    client.send(response(ITEMS, "200 OK", -1))
    client.close()


def case_great_length(client):
    client.send(response(ITEMS, "200 OK", 10 ** 30))
    client.close()


def case_garbage(client):
    """No HTTP at all."""
    client.send(b"SSH-2.0-OpenSSH_9.2\r\n" + ITEMS)
    client.close()


def case_bare(client):
    """The body alone, as HTTP/0.9 had it."""
    client.send(ITEMS)
    client.close()


def case_version(client):
    client.send(b"HTTP/7.3 200 OK\r\nContent-Length: %d\r\n\r\n" % len(ITEMS) + ITEMS)
    client.close()


def case_status(client):
    client.send(b"HTTP/1.1 " + client.options["status"].encode() + b" Odd\r\nContent-Length: %d\r\n\r\n" % len(ITEMS) + ITEMS)
    client.close()


def case_nothing(client):
    client.close()


# --- the body ---

def case_too_long(client):
    """A Content-Length that is too great; the JSON is whole."""
    client.send(response(ITEMS, "200 OK", len(ITEMS) + 10))
    client.close()


def case_too_short(client):
    """A Content-Length that ends in the middle of the JSON."""
    client.send(response(ITEMS, "200 OK", len(ITEMS) - 10))


def case_trailing(client):
    """After the first page comes an answer that nobody has asked for yet."""
    client.send(response(ITEMS, "200 OK", None, 'Link: </second>; rel="next"') + response(POISON))


def case_second(client):
    client.send(response(b'[{"id":3,"name":"three"}]'))


def case_after_json(client):
    client.send(response(ITEMS + b' [{"id":666}]'))


def chunked(*lines):
    head = ["HTTP/1.1 200 OK", "Content-Type: application/json", "Transfer-Encoding: chunked"] + list(lines)
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def case_cut_chunk(client):
    """Ends inside of a chunk; the JSON is whole."""
    client.send(chunked() + b"%x\r\n" % (len(ITEMS) + 5) + ITEMS)
    client.close()


def case_no_last_chunk(client):
    """Ends between chunks, without the last one; the JSON is whole."""
    client.send(chunked() + b"%x\r\n" % len(ITEMS) + ITEMS + b"\r\n")
    client.close()


def case_bad_chunk(client):
    client.send(chunked() + client.options["size"].encode() + b"\r\n" + ITEMS)
    client.close()


def case_chunked_and_length(client):
    """Both ways to say how long it is: chunks count (RFC 9112 section 6.3)."""
    client.send(chunked("Content-Length: 4") + b"%x\r\n" % len(ITEMS) + ITEMS + b"\r\n0\r\n\r\n")


def case_trailers(client):
    """Trailers without an end."""
    client.send(chunked() + b"%x\r\n" % len(ITEMS) + ITEMS + b"\r\n0\r\n")
    sent, block = 0, b"X-Trailer: a\r\n" * 1000
    while client.go_on(sent):
        client.send(block)
        sent += len(block)


def case_endless(client):
    """A body without an end: of spaces, of one text, or of items."""
    unit = {"space": b" ", "text": b"x", "item": b'{"id":1,"name":"a"},'}[client.options["of"]]
    block = unit * (65536 // len(unit))
    client.send(chunked() + (b'11\r\n[{"id":1,"name":"\r\n' if client.options["of"] == "text" else b"1\r\n[\r\n"))
    sent = 0
    while client.go_on(sent):
        client.send(b"%x\r\n" % len(block) + block + b"\r\n")
        sent += len(block)


def case_drip(client):
    """A byte of the body at a time."""
    client.send(chunked())
    while client.go_on():
        client.send(b"1\r\n \r\n")
        time.sleep(0.05)


def case_deep(client):
    """Arrays in arrays in arrays."""
    client.send(response(b"[" * 1000000 + b"]" * 1000000))


def case_html(client):
    page = b"<!DOCTYPE html><html><body>Please log in</body></html>"
    client.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page) + page)


def case_error_body(client):
    """An error page without an end, which quotes what it was sent."""
    client.send(b"HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    block, sent = client.head.encode("latin-1") * 100, 0
    while client.go_on(sent):
        client.send(b"%x\r\n" % len(block) + block + b"\r\n")
        sent += len(block)


# --- its coding ---

def case_bomb(client):
    """A small body that becomes a large one."""
    times = int(client.options.get("times", 1))
    coding = client.options.get("coding", "gzip")
    body = bomb(int(client.options["size"]), times, coding)
    client.send(response(body, "200 OK", None, "Content-Encoding: " + ", ".join([coding] * times)))


def case_coded(client):
    """
    Items in codings.  cut: so many bytes are missing at the end, half or all of them; once: only at the first request.
    behind: what comes after the end.  Content-Length fits what is sent, unless long says that it is that of the whole.
    """
    codings = client.options["codings"].split(",")
    content_type, body = items(client.options.get("format", "json"), int(client.options.get("count", 2)))
    for coding in codings:
        body = encode(coding, body)
    length = len(body)
    times = sum(entry["target"] == client.target for entry in client.server.state.log)
    if "once" not in client.options or times == 1:
        cut = client.options.get("cut", "0")
        body = body[:length - {"half": (length + 1) // 2, "all": length}.get(cut) if cut.isalpha() else length - int(cut)]
    body += client.options.get("behind", "").encode()
    names = [{"raw": "deflate", "members": "gzip"}.get(coding, coding) for coding in codings]
    head = ["HTTP/1.1 " + client.options.get("status", "200 OK"), "Content-Type: " + content_type,
            "Content-Length: %d" % (length if "long" in client.options else len(body))]
    if "lines" in client.options:
        head += ["Content-Encoding: " + name for name in names]
    else:
        head.append("content-encoding: " + ", ".join(names))
    client.send(("\r\n".join(head) + "\r\n\r\n").encode() + body)
    if "long" in client.options:
        client.close()


def case_transfer_coded(client):
    """Compressed by the transfer, which nobody has asked for."""
    body = gzip.compress(ITEMS)
    client.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")


def case_many_codings(client):
    client.send(response(ITEMS, "200 OK", None, "Content-Encoding: " + ", ".join(["gzip"] * 50)))


def case_no_gzip(client):
    client.send(response(ITEMS, "200 OK", None, "Content-Encoding: gzip"))


def case_coding(client):
    client.send(response(ITEMS, "200 OK", None, "Content-Encoding: " + client.options["name"]))


def case_cut_gzip(client):
    """Of a gzipped body the last bytes are missing; Content-Length fits what there is."""
    client.send(response(gzip.compress(ITEMS * 1)[:-int(client.options["bytes"])], "200 OK", None, "Content-Encoding: gzip"))


def case_wrong_sum(client):
    """Gzipped, with a wrong checksum."""
    packed = bytearray(gzip.compress(ITEMS))
    packed[-8] ^= 0xff
    client.send(response(bytes(packed), "200 OK", None, "Content-Encoding: gzip"))


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.settimeout(MAX_SECONDS)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            Client(self.request, self.server, next(self.server.state.numbers)).serve()
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Server6(Server):
    address_family = socket.AF_INET6


class State:
    """What all its ports share."""

    def __init__(self):
        self.log = []
        self.ports = []
        self.numbers = itertools.count(1)


def start():
    """Starts it in background threads; returns its ports, the second for the other origin."""
    state = State()
    servers = [Server(("127.0.0.1", 0), Handler), Server(("127.0.0.1", 0), Handler)]
    state.ports = [server.server_address[1] for server in servers]
    servers.append(Server(("127.0.0.2", state.ports[0]), Handler))
    try:
        servers.append(Server6(("::1", state.ports[0]), Handler))
    except OSError:
        pass
    for server in servers:
        server.state = state
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    return state.ports


def main():
    parser = argparse.ArgumentParser(description="A server on 127.0.0.1 that misbehaves.")
    parser.add_argument("--port-file", required=True, help="file that gets the port, and on a second line the other origin's")
    options = parser.parse_args()
    ports = start()
    with open(options.port_file + ".tmp", "w") as file:
        file.write("".join("%d\n" % port for port in ports))
    os.rename(options.port_file + ".tmp", options.port_file)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
