"""Lists that change while they are read: ledgers.

`POST /_ledger/NAME` begins a ledger anew; its members are the options below. `GET /ledger/NAME` is a page of it.

rows       [[id, at], ...] or [{"id": 1, "at": 5, "note": "x"}, ...]; at: a number or a text, "now" is the ledger's clock
sort       "id" (default), "-id", "at" or "-at", among equal ones by id
next       what cursors and links hold: "key" (default), the sort value and id of the last item, or "offset"
ties       keyset: "after" (default) gives what is greater than the last value, "from" what is at least that, "pair" takes
           "value|id", of the last item's "key"
since      the parameter "since" selects what is "from" (default) it on or "after" it; "until" what is less
total      false: the total is not told
clock      so many seconds the ledger's clock, which the header Date tells, is ahead (or, negative, behind)
before     {"2": [change, ...]}: changes made just before the second request is answered
hold       {"2": 5}: the second answer stops behind five items, until the client goes away or a change lets it break off
late       [3, 4]: the answer at offset 3 is made when it is asked for, before the fourth request is answered, and sent behind that answer
fail       {"2": 500}: the second request is answered with that status

A change is {"put": [row, ...], "delete": [id, ...], "release": true (ends what is held)}, `POST /_ledger/NAME/change` makes one at once, `GET /_ledger/NAME` tells the
rows. Requests count from 1 since the ledger was begun; another POST with {"again": {...}} sets options and counts from 1 again, and leaves the rows.

Pages are taken by offset and limit, page and per_page, cursor and limit, after and limit; without a limit it is everything at once.
The answer is {"data": [...], "total": 9, "pages": 3, "next": cursor, "more": true}, with a header Link.
"""

import base64
import datetime
import email.utils
import json
import threading
import time
import urllib.parse

from faults import MAX_SILENCE


class Ledger:
    """One list: rows by id."""

    def __init__(self, options):
        self.rows = {}
        self.options = {}
        self.released = threading.Event()
        self.set(options)
        self.change({"put": options.get("rows", [])})

    def set(self, options):
        self.options.update(options)
        self.requests = 0
        self.asked = threading.Event()
        self.overtaken = threading.Event()

    def now(self):
        return time.time() + self.options.get("clock", 0)

    def change(self, change):
        for row in change.get("put", []):
            if isinstance(row, list):
                row = {"id": row[0], "at": row[1]}
            row = dict(self.rows.get(row["id"], {}), **row)
            if row.get("at") == "now":
                moment = datetime.datetime.fromtimestamp(self.now(), datetime.timezone.utc)
                row["at"] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self.rows[row["id"]] = row
        for key in change.get("delete", []):
            del self.rows[key]
        if change.get("release"):
            self.released.set()

    def event(self, name, number):
        """What an option has for the request of that number, or None."""
        return self.options.get(name, {}).get(str(number))

    def waits(self, query):
        """What a request that comes has to wait for before it is answered, or None."""
        late = self.options.get("late")
        return self.asked if late and self.requests == late[1] and query.get("offset") != str(late[0]) else None

    def sorted(self):
        sort = self.options.get("sort", "id")
        return sorted(self.rows.values(), key=self.place, reverse=sort.startswith("-"))

    def place(self, row):
        return (row[self.options.get("sort", "id").lstrip("-")], row["id"])

    def select(self, query):
        """The rows that the filters leave, in order."""
        rows = self.sorted()
        if query.get("since"):
            since = self.typed(query["since"])
            rows = [r for r in rows if r["at"] > since or (r["at"] == since and self.options.get("since") != "after")]
        if query.get("until"):
            rows = [r for r in rows if r["at"] < self.typed(query["until"])]
        return rows

    def typed(self, text, field="at"):
        """A parameter as a value of a field."""
        sample = next(iter(self.rows.values()))[field] if self.rows else ""
        return text if isinstance(sample, str) else type(sample)(float(text))

    def page(self, query, route):
        """The value and the Link header of a page."""
        rows = self.select(query)
        limit = int(query.get("limit") or query.get("per_page") or max(len(rows), 1))
        if "page" in query:
            start = (int(query["page"]) - 1) * limit
        elif query.get("cursor"):
            start = self.start_behind(rows, json.loads(base64.urlsafe_b64decode(query["cursor"])))
        elif query.get("after"):
            start = self.start_after(rows, query["after"])
        else:
            start = int(query.get("offset") or 0)
        page = rows[start:start + limit]
        more = start + limit < len(rows)
        value = {"data": [dict(row, key="%s|%s" % self.place(row)) for row in page], "more": more}
        if self.options.get("total", True):
            value.update(total=len(rows), pages=(len(rows) + limit - 1) // limit)
        if not more:
            return value, None
        cursor = start + limit if self.options.get("next") == "offset" else list(self.place(page[-1]))
        value["next"] = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
        others = {name: text for name, text in query.items() if name not in ("cursor", "offset", "page", "after")}
        return value, '<%s?%s>; rel="next"' % (route, urllib.parse.urlencode(dict(others, cursor=value["next"])))

    def start_behind(self, rows, cursor):
        if not isinstance(cursor, list):
            return cursor
        if self.options.get("sort", "id").startswith("-"):
            return sum(1 for row in rows if self.place(row) >= tuple(cursor))
        return sum(1 for row in rows if self.place(row) <= tuple(cursor))

    def start_after(self, rows, after):
        ties = self.options.get("ties", "after")
        field = self.options.get("sort", "id")
        if ties == "pair":
            value, key = after.rsplit("|", 1)
            return sum(1 for row in rows if self.place(row) <= (self.typed(value, field), int(key)))
        after = self.typed(after, field)
        return sum(1 for row in rows if row[field] < after or (row[field] == after and ties == "after"))


class Ledgers:
    """All of them, by name."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ledgers = {}

    def control(self, method, path, request):
        """What a test wants of one; its rows."""
        with self.lock:
            if method == "POST" and path[1:] == ["change"]:
                self.ledgers[path[0]].change(request)
            elif method == "POST" and "again" in request:
                self.ledgers[path[0]].set(request["again"])
            elif method == "POST":
                self.ledgers[path[0]] = Ledger(request)
            return self.ledgers[path[0]].sorted()

    def answer(self, handler, name, response):
        query = {key: values[-1] for key, values in handler.query.items()}
        with self.lock:
            ledger = self.ledgers[name]
            ledger.requests += 1
            waits, number = ledger.waits(query), ledger.requests
        if waits is not None:
            waits.wait(MAX_SILENCE)
        with self.lock:
            for change in ledger.event("before", number) or []:
                ledger.change(change)
            value, link = ledger.page(query, handler.route)
            status, hold = ledger.event("fail", number), ledger.event("hold", number)
            if "clock" in ledger.options:
                response.headers["Date"] = email.utils.formatdate(int(ledger.now()), usegmt=True)
        late = ledger.options.get("late")
        if late and query.get("offset") == str(late[0]):
            ledger.asked.set()
            ledger.overtaken.wait(MAX_SILENCE)
        elif late and number == late[1]:
            response.sent = ledger.overtaken
        if status is not None:
            response.set_json({"error": "out of order"}, status)
            return
        response.set_json(value)
        if link is not None:
            response.headers["Link"] = link
        if hold is not None:
            begin = json.dumps(value["data"][:hold], separators=(",", ":"))
            response.hold = (len('{"data":') + len(begin), ledger.released)


def send_part(handler, response):
    """So many bytes of a body, and no more of it; the connection ends when that is let go, or the client goes."""
    count, released = response.hold
    handler.close_connection = True
    handler.send_bytes(response.head() + response.body[:count])
    handler.connection.settimeout(0.02)
    end = time.monotonic() + MAX_SILENCE
    while not released.is_set() and time.monotonic() < end:
        try:
            if not handler.connection.recv(4096):
                return
        except TimeoutError:
            pass
