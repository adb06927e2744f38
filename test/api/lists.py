#!/usr/bin/env python3
"""Lists that come in pages, strictly: what a request says in another place or way than it should is refused.

    python3 test/api/lists.py --port-file FILE

for test/t/055_pagination.pl and 064_memory.pl.  FILE's lines are the ports of two origins.  The
address says what the list is like, in segments that the request cannot change:

    /list/style=offset/n=250/place=body/...

style      offset, page, cursor, keyset, link, next, or query (a text: "select * startposition 1 maxresults 10")
n          items, with ids from 1 on; with from=ID behind that one
place      where positions and sizes have to be: query (also next URLs), header, body
cap        the greatest page that is given
limit      the page where the request does not say it
total      1: "total" and "pages" are told
deaf       1: positions are ignored; the page is always the first
all        1: positions and sizes are ignored; all items at once
behind     status of requests behind the end
most       a request for more items than that is answered with the status in `status` (504);
           with heavy=START only from there on
window     a request that ends behind so many items of what it selects is refused (400)
fail       STATUS@START: the first request at that start is answered with that status; the second one, where the first is torn
always     STATUS@START: every request at that start is
tear       ITEMS@START: the first answer at that start breaks off behind so many items
cut        BYTES@START: the first answer at that start breaks off behind so many bytes
short      ITEMS@START: further answers at that start have only so many items
torn       ITEMS@START: every answer at that start breaks off behind so many items
grow       so many items are added behind each answer, until there are `until`
shrink     so many items of the end are taken away behind each answer, down to `until`
delay      milliseconds before the answer
drip       the body comes in pieces of so many bytes, 2 ms apart
long       cursors have so many characters more
wide       names of items have so many characters
huge       WIDTH@ID: the name of that item has so many characters
around     the response has so many characters beside its items, before them
to         next URLs: absolute (default), path, query, other (the other origin)
id         makes the address another one, with counters of its own

GET /_log gives the requests since the last time, as JSON.
"""

import argparse
import http.server
import json
import os
import re
import socketserver
import sys
import threading
import time
import urllib.parse

NAMES = {"offset": ("offset", "limit"), "page": ("page", "limit"), "cursor": ("cursor", "limit"), "keyset": ("after", "limit")}


# Items have a key of this form too, in the order of their ids; a keyset takes either.
KEY = "\u00fc%06d"


class Refused(Exception):
    """What the request is answered with instead of a page."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Request:
    """What came, without the socket."""

    def __init__(self, method, target, headers, body):
        parts = urllib.parse.urlsplit(target)
        self.method, self.target, self.body = method, target, body
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.options = dict(segment.split("=", 1) for segment in parts.path.split("/")[2:] if "=" in segment)

    def option(self, name, default=None):
        return self.options.get(name, default)

    def number(self, name, default=None):
        return int(self.options[name]) if name in self.options else default

    def at(self, name, start):
        """The value of an option VALUE@START, where this is that start."""
        value, _, where = self.options.get(name, "").partition("@")
        return int(value) if value and int(where) == start else None

    def given(self):
        """Positions and sizes, which have to be in their place and nowhere else."""
        places = {"query": self.query, "header": self.headers, "body": {}}
        if self.body:
            body = json.loads(self.body)
            places["body"] = body.get("paging", {})
        place = self.option("place", "query")
        names = {name for pair in NAMES.values() for name in pair}
        for other, values in places.items():
            if other != place and names & set(values):
                raise Refused(400, "positions do not belong into the " + other)
        if place == "body" and self.method != "POST":
            raise Refused(400, "a body comes with POST")
        return places[place]


class Lists:
    """All lists and what has been asked of them."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sizes = {}
        self.counts = {}
        self.log = []

    def times(self, key):
        """How often something has been counted before."""
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key] - 1

    def answer(self, request, origin, other):
        """Body and headers of a page, and behind how many items it breaks off (or None)."""
        style = request.option("style")
        with self.lock:
            size = self.sizes.setdefault(request.path, request.number("n", 0))
        ids = list(range(request.number("from", 0) + 1, request.number("from", 0) + size + 1))
        start, limit = self.position(request, style)
        if "filter" in request.query:
            ids = [number for number in ids if number > int(request.query["filter"])]
        elif request.body and json.loads(request.body).get("filter") is not None:
            ids = [number for number in ids if number > json.loads(request.body)["filter"]]
        if style == "keyset":
            start = sum(1 for number in ids if number <= start)
        asked = limit
        limit = min(limit, request.number("cap", limit))
        self.check(request, start, asked, len(ids))
        count = limit
        if request.option("deaf"):
            start = 0
        if request.option("all"):
            start, count = 0, len(ids)
        tear = request.at("torn", start)
        if self.tears(request, start):
            tear = request.at("tear", start)
            self.times(("tear", request.path))
        elif request.at("short", start) is not None:
            count = request.at("short", start)
        page = ids[start:start + count]
        end = start + len(page)
        more = end < len(ids) or bool(request.option("deaf"))
        body = {"has_more": more, "last": not more, "number": start // limit + 1}
        if request.option("total"):
            body.update(total=len(ids), pages=(len(ids) + limit - 1) // limit)
        headers = {}
        if style == "cursor" and more:
            body["next_cursor"] = headers["X-Next"] = "c?%d&" % end + "x" * request.number("long", 0)
        if style in ("link", "next") and more:
            target = self.target(request, end, limit, origin, other)
            body["next"] = target
            headers["Link"] = '<%s>; rel="prev", <%s>; title="a, b"; rel="next last"' % (target + "x", target)
        if request.option("around"):
            body["around"] = "x" * request.number("around")
        body["data"] = [{"id": number, "name": self.name(request, number), "key": KEY % number} for number in page]
        self.change(request)
        return body, headers, tear

    @staticmethod
    def name(request, number):
        width = request.at("huge", number) or request.number("wide", 0)
        return ("item %d" % number).ljust(width, "x")

    def cut(self, request):
        """Behind how many bytes the answer breaks off, or None."""
        if not request.option("cut"):
            return None
        cut = request.at("cut", self.position(request, request.option("style"))[0])
        return cut if cut is not None and self.times(("cut", request.path)) == 0 else None

    def tears(self, request, start):
        """Whether the answer at this start is the one that breaks off."""
        return request.at("tear", start) is not None and self.counts.get(("tear", request.path), 0) == 0

    def position(self, request, style):
        if style == "query":
            found = re.fullmatch(r"select \* startposition (\d+) maxresults (\d+)", request.query.get("query", ""))
            if not found:
                raise Refused(400, "no such query")
            return int(found.group(1)) - 1, int(found.group(2))
        given = request.given()
        limit = int(given.get("limit", request.number("limit", 100)))
        if style in ("link", "next"):
            return int(given.get("offset", 0)), limit
        where = given.get(NAMES[style][0])
        if where in (None, ""):
            return 0, limit
        if style == "page":
            return (int(where) - 1) * limit, limit
        if style == "cursor":
            found = re.fullmatch(r"c\?(\d+)&x*", str(where))
            if not found:
                raise Refused(400, "no such cursor")
            return int(found.group(1)), limit
        if str(where)[:1] == KEY[0]:
            return int(str(where)[1:]), limit
        return int(where), limit

    def check(self, request, start, limit, size):
        """Refuses what it is to refuse."""
        status = request.at("always", start)
        if status is None and request.at("fail", start) is not None and not self.tears(request, start) and \
                self.times(("fail", request.path)) == 0:
            status = request.at("fail", start)
        if status is not None:
            raise Refused(status, "failed")
        if limit > request.number("most", limit) and start >= request.number("heavy", 0):
            raise Refused(request.number("status", 504), "too many items")
        if start + limit > request.number("window", start + limit):
            raise Refused(400, "no more than that of a search")
        if start >= size and start > 0 and request.option("behind"):
            raise Refused(request.number("behind"), "behind the end")

    @staticmethod
    def target(request, start, limit, origin, other):
        query = "?" + urllib.parse.urlencode(dict(request.query, offset=start, limit=limit))
        kind = request.option("to", "absolute")
        if kind == "query":
            return query
        if kind == "path":
            return request.path + query
        return (other if kind == "other" else origin) + request.path + query

    def change(self, request):
        """What the answer does to the list."""
        with self.lock:
            size = self.sizes[request.path]
            if request.option("grow"):
                size = max(size, min(size + request.number("grow"), request.number("until")))
            if request.option("shrink"):
                size = min(size, max(size - request.number("shrink"), request.number("until")))
            self.sizes[request.path] = size


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format, *args):
        """Keeps the terminal quiet."""

    def do_GET(self):
        lists = self.server.lists
        if self.path == "/_log":
            with lists.lock:
                log, lists.log = lists.log, []
            self.send(200, {}, json.dumps(log).encode())
            return
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, self.path, self.headers, self.rfile.read(length).decode())
        with lists.lock:
            lists.log.append({"method": request.method, "target": request.target, "query": request.query,
                              "headers": request.headers, "body": request.body, "port": self.server.server_address[1]})
        mine, = [port for port in self.server.ports if port == self.server.server_address[1]]
        other, = [port for port in self.server.ports if port != mine]
        try:
            body, headers, tear = lists.answer(request, "http://127.0.0.1:%d" % mine, "http://127.0.0.1:%d" % other)
            status = 200
        except Refused as refused:
            status, body, headers, tear = refused.status, {"message": str(refused)}, {}, None
        time.sleep(request.number("delay", 0) / 1000)
        text = json.dumps(body).encode()
        cut = lists.cut(request)
        if cut is not None:
            self.send(status, headers, text[:cut], len(text))
            self.close_connection = True
            return
        if tear is None:
            self.send(status, headers, text, drip=request.number("drip"))
            return
        # So many items, and no more of what Content-Length has promised.
        at = [found.end() for found in re.finditer(rb"\}", text)][tear - 1]
        self.send(status, headers, text[:at], len(text))
        time.sleep(0.1)
        self.close_connection = True

    do_POST = do_GET

    def send(self, status, headers, body, length=None, drip=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for begin in range(0, len(body), drip or len(body) or 1):
            self.wfile.write(body[begin:begin + (drip or len(body))])
            time.sleep(0.002 if drip else 0)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, lists):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lists = lists

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", required=True)
    arguments = parser.parse_args()
    lists = Lists()
    servers = [Server(lists), Server(lists)]
    for server in servers:
        server.ports = [each.server_address[1] for each in servers]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(arguments.port_file + ".new", "w", encoding="ascii") as file:
        file.write("".join("%d\n" % port for port in servers[0].ports))
    os.rename(arguments.port_file + ".new", arguments.port_file)
    sys.stdin.read()


if __name__ == "__main__":
    main()
