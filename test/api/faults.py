"""Faults that the sample API commits on request.

A fault is written NAME[:ARG...][:key=value...], several joined by commas:
"status:503:times=2", "delay:200,truncate:100".  README.md lists them.
"""

import gzip
import email.utils
import json
import socket
import struct
import threading
import time
import urllib.parse
import zlib

# Nothing that a fault streams goes on beyond this, whatever was asked for.
MAX_STREAM = 16 * 1024 * 1024 * 1024
MAX_SILENCE = 120.0

HTML_PAGE = b"<!DOCTYPE html><html><head><title>Oops</title></head><body><h1>Something went wrong</h1></body></html>"


class Fault:
    """One parsed fault: its name, its positional arguments and its options."""

    def __init__(self, text):
        parts = text.split(":")
        self.text = text
        self.name = parts[0]
        self.args = [part for part in parts[1:] if "=" not in part]
        self.options = dict(part.split("=", 1) for part in parts[1:] if "=" in part)

    def arg(self, position, default):
        """A positional argument as a number."""
        return int(self.args[position]) if len(self.args) > position else default


class Counters:
    """How often each fault was asked for, which "times" and "after" count by."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = {}

    def reset(self):
        with self.lock:
            self.seen.clear()

    def due(self, fault, target):
        """Whether this request is one that the fault is for; counts the request."""
        if "beyond" in fault.options:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
            if int(query.get("offset", ["0"])[0]) < int(fault.options["beyond"]):
                return False
        url = target if fault.options.get("scope", "url") == "url" else target.split("?")[0]
        with self.lock:
            count = self.seen[(fault.text, url)] = self.seen.get((fault.text, url), 0) + 1
        after = int(fault.options.get("after", 0))
        return after < count <= after + int(fault.options.get("times", 10 ** 9))


class Gates:
    """Places where requests wait, by name, for each other or for the test."""

    def __init__(self):
        self.changed = threading.Condition()
        self.reset()

    def reset(self):
        with self.changed:
            self.opened = set()
            self.waiting = {}

    def open(self, names):
        with self.changed:
            self.opened.update(names)
            self.changed.notify_all()

    def wait(self, name, address, needed):
        """Waits for the gate to open, which it does for good once requests of so many addresses wait; False in vain."""
        with self.changed:
            waiting = self.waiting.setdefault(name, [])
            waiting.append(address)
            if needed and len(set(waiting)) >= needed:
                self.opened.add(name)
                self.changed.notify_all()
            opened = self.changed.wait_for(lambda: name in self.opened, MAX_SILENCE)
            waiting.remove(address)
            return opened


def parse(text):
    """The faults of a directive's text."""
    return [Fault(part) for part in text.split(",") if part]


def reset_connection(handler):
    """Ends the connection with RST instead of FIN."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.rfile.close()
    handler.connection.close()


def wait_for_hangup(handler):
    """Sends nothing until the client goes away, within a bound."""
    handler.close_connection = True
    handler.connection.settimeout(MAX_SILENCE)
    try:
        while handler.connection.recv(4096):
            pass
    except OSError:
        pass


def retry_after(value):
    """A Retry-After value: seconds as they are, "date+N" as an HTTP date N seconds from now."""
    if value.startswith("date"):
        return email.utils.formatdate(time.time() + int(value[4:] or 0), usegmt=True)
    return value


def answer_status(handler, fault, response):
    status = fault.arg(0, 503)
    if "retry_after" in fault.options:
        response.headers["Retry-After"] = retry_after(fault.options["retry_after"])
    response.set_json({"error": {"code": status, "message": "asked for by the test"}}, status)


def answer_delay(handler, fault, response):
    time.sleep(min(fault.arg(0, 100) / 1000, MAX_SILENCE))


def answer_jitter(handler, fault, response):
    """Waits for up to so long, each URL for another time and always for the same, so that answers overtake each other."""
    time.sleep(min(zlib.crc32(handler.path.encode()) % max(fault.arg(0, 100), 1) / 1000, MAX_SILENCE))


def answer_gate(handler, fault, response):
    """Waits until the test opens the gate of that name, or requests of so many addresses wait at it."""
    if not handler.state.gates.wait(fault.options.get("name", ""), handler.route, fault.arg(0, 0)):
        response.set_json({"error": "nobody came"}, 504)


def answer_gzip(handler, fault, response):
    response.headers["Content-Encoding"] = "gzip"
    response.body = gzip.compress(response.body, 1)


def answer_html(handler, fault, response):
    response.status = fault.arg(0, 200)
    response.headers["Content-Type"] = "text/html; charset=utf-8"
    response.body = HTML_PAGE


def answer_error200(handler, fault, response):
    response.set_json({"status": "error", "error": "quota exceeded"}, 200)


def answer_empty(handler, fault, response):
    response.status = fault.arg(0, 200)
    response.body = b""


def answer_badjson(handler, fault, response):
    """Breaks the JSON in the middle of the body: a comma where a value belongs."""
    middle = response.body.find(b":", len(response.body) // 2)
    response.body = response.body[:middle + 1] + b"," + response.body[middle + 1:]


def answer_redirect(handler, fault, response):
    where = fault.args[0] if fault.args else "same"
    plain = handler.target_without("fault")
    origins = {"same": handler.origin(), "other": handler.other_origin()}
    location = handler.origin() + handler.path if where == "loop" else origins[where] + plain
    response.headers["Location"] = location
    response.set_json({"moved": location}, int(fault.options.get("status", 302)))


def send_reset(handler, fault, response):
    count = fault.arg(0, len(response.body) // 2)
    handler.send_bytes(response.head() + response.body[:count])
    # The client must have read these bytes before RST makes its kernel drop them.
    time.sleep(0.05)
    reset_connection(handler)


def send_hangup(handler, fault, response):
    """RST instead of an answer."""
    reset_connection(handler)


def send_cut(handler, fault, response):
    """Closes after so many bytes of a body in chunks, within a chunk."""
    count = fault.arg(0, len(response.body) // 2)
    handler.close_connection = True
    handler.send_bytes(response.head(length=None, chunked=True))
    handler.send_bytes(b"%x\r\n%s" % (len(response.body) + 1, response.body[:count]))


def send_truncate(handler, fault, response):
    count = fault.arg(0, len(response.body) // 2)
    handler.close_connection = True
    handler.send_bytes(response.head() + response.body[:count])


def send_drip(handler, fault, response):
    step, pause = max(1, fault.arg(0, 16)), fault.arg(1, 50) / 1000
    handler.send_bytes(response.head())
    for start in range(0, len(response.body), step):
        handler.send_bytes(response.body[start:start + step])
        time.sleep(pause)


def send_chunked(handler, fault, response):
    step = max(1, fault.arg(0, 1000))
    handler.send_bytes(response.head(length=None, chunked=True))
    for start in range(0, len(response.body), step):
        handler.send_chunk(response.body[start:start + step])
    handler.send_chunk(b"")


def stream(handler, response, total, begin, block, end):
    """A chunked body of about total bytes: begin, block over and over, end."""
    handler.send_bytes(response.head(length=None, chunked=True))
    handler.send_chunk(begin)
    sent = len(begin)
    while sent < min(total, MAX_STREAM):
        handler.send_chunk(block)
        sent += len(block)
    handler.send_chunk(end)
    handler.send_chunk(b"")


def send_huge(handler, fault, response):
    """A valid array of small items, all alike, of at least so many bytes."""
    item = json.dumps({"id": 1, "name": "one of many", "text": "x" * 100}).encode()
    stream(handler, response, fault.arg(0, 10 ** 8), b"[" + item, (b"," + item) * 500, b"]")


def send_giant(handler, fault, response):
    """One item with a string of at least so many bytes."""
    stream(handler, response, fault.arg(0, 10 ** 8), b'[{"id":1,"name":"', b"x" * 65536, b'"}]')


def send_headers(handler, fault, response):
    """Header lines without an end."""
    handler.close_connection = True
    handler.send_bytes(b"HTTP/1.1 200 OK\r\n")
    line = b"X-Filler: " + b"f" * 1000 + b"\r\n"
    for _ in range(min(fault.arg(0, 10 ** 8), MAX_STREAM) // len(line)):
        handler.send_bytes(line)


def send_silent(handler, fault, response):
    wait_for_hangup(handler)


# An "answer" fault changes the response that is then sent; a "send" fault does the sending.
ANSWERS = {name[7:]: function for name, function in globals().items() if name.startswith("answer_")}
SENDERS = {name[5:]: function for name, function in globals().items() if name.startswith("send_")}
