"""What the imitations of real APIs share: the request, refusals, data that grows, tokens.

An imitation is one object per sample API.  Its records are numbered from 1 and
deterministic; "advance" makes a day pass: some records change, some come, and
where the API shows it some are gone.  What a test may set is in "settings".
"""

import base64
import datetime
import json
import threading
import urllib.parse

# 2024-05-01T00:00:00Z: record n was last changed n steps later.
BASE = 1714521600
NEW = 3


class Refusal(Exception):
    """An answer that is no success: its status, its value (JSON, or bytes as they are) and its headers."""

    def __init__(self, status, value, headers=None):
        super().__init__(status)
        self.status = status
        self.value = value
        self.headers = headers or {}


class Call:
    """A request, seen from the imitation: its path below where that is mounted."""

    def __init__(self, handler, name):
        self.method = handler.command
        self.prefix = "/apis/" + name
        self.origin = handler.origin()
        self.base = self.origin + self.prefix
        self.target = handler.path
        self.path = [urllib.parse.unquote(part) for part in handler.route.split("/") if part][2:]
        self.query = handler.query
        self.headers = handler.headers
        self.body = handler.body

    def arg(self, name, default=None):
        """A parameter of the query; the last, where there are several."""
        return self.query[name][-1] if name in self.query else default

    def json(self):
        """The body, a JSON object."""
        if not (self.headers.get("Content-Type") or "").startswith("application/json"):
            raise ValueError("the body is not said to be application/json")
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("the body is no object")
        return value

    def form(self):
        """The body, a form."""
        if (self.headers.get("Content-Type") or "").split(";")[0] != "application/x-www-form-urlencoded":
            raise ValueError("the body is not said to be a form")
        return dict(urllib.parse.parse_qsl(self.body, keep_blank_values=True))

    def bearer(self):
        given = self.headers.get("Authorization") or ""
        return given[7:] if given.startswith("Bearer ") else None

    def basic(self):
        """(user, password), or None."""
        given = self.headers.get("Authorization") or ""
        if not given.startswith("Basic "):
            return None
        user, _, password = base64.b64decode(given[6:]).decode().partition(":")
        return user, password

    def with_query(self, **changes):
        """This request's target with parameters set."""
        pairs = [(k, v) for k, values in self.query.items() for v in values if k not in changes]
        return self.target.split("?")[0] + "?" + urllib.parse.urlencode(pairs + list(changes.items()))


class Imitation:
    """One API.  A subclass has respond(call, response), and error(status, message), the API's own form of errors."""

    name = ""
    size = 250
    step = 60
    settings = {}

    def __init__(self):
        self.lock = threading.RLock()
        self.reset()

    def reset(self):
        self.version = 0
        self.set = dict(self.settings)
        self.counts = {}
        self.tokens = {}
        self.issued = 0
        self.refresh_token = None

    def control(self, request):
        """What a test wants: "advance", "reset", "expire" (all access tokens), or any of the settings."""
        with self.lock:
            if request.pop("reset", False):
                self.reset()
            if request.pop("advance", False):
                self.version += 1
                self.counts = {}
            if request.pop("expire", False):
                self.tokens = {}
            for name, value in request.items():
                if name not in self.set:
                    raise ValueError("the imitation of %s has no setting %s" % (self.name, name))
                self.set[name] = value
        return self.truth()

    def answer(self, call, response):
        """Answers a request, in the API's own form where it is wrong."""
        with self.lock:
            try:
                try:
                    self.respond(call, response)
                except (ValueError, KeyError, TypeError, IndexError) as error:
                    raise self.error(400, "bad request: %s" % error) from error
            except Refusal as refusal:
                response.headers.update(refusal.headers)
                if isinstance(refusal.value, bytes):
                    response.status = refusal.status
                    response.body = refusal.value
                else:
                    response.set_json(refusal.value, refusal.status)

    def respond(self, call, response):
        raise NotImplementedError

    def error(self, status, message):
        return Refusal(status, {"error": message})

    # --- for respond ---

    def only(self, call, *names):
        """Refuses parameters that the imitation does not know: a definition that sends them is wrong."""
        unknown = [name for name in call.query if name not in names]
        if unknown:
            raise self.error(400, "unknown parameter " + ", ".join(unknown))

    def once(self, what, times=1):
        """True the first so many times since the start or the last day."""
        self.counts[what] = self.counts.get(what, 0) + 1
        return self.counts[what] <= times

    def whole(self, text, low, high):
        """A number of a request, within bounds."""
        number = int(text)
        if not low <= number <= high:
            raise self.error(400, "%d is not between %d and %d" % (number, low, high))
        return number

    # --- data ---

    def numbers(self):
        """All records."""
        return range(1, self.size + 1 + (NEW if self.version else 0))

    def changed(self, n):
        """Has the record changed on the last day?"""
        return self.version > 0 and n <= self.size and n % 50 == 7

    def gone(self, n):
        """Was it deleted on the last day?"""
        return self.version > 0 and n == 5

    def updated(self, n):
        """When, in seconds since 1970."""
        late = n <= self.size and (self.changed(n) or self.gone(n))
        return BASE + self.step * (n + self.size + NEW if late else n)

    def key(self, n):
        """The record's key, as its row has it."""
        return str(n)

    def truth(self):
        """What a test compares with."""
        return {"version": self.version, "settings": self.set, "keys": [self.key(n) for n in self.numbers()],
                "latest": max(self.updated(n) for n in self.numbers()) if self.size else None,
                "changed": [self.key(n) for n in self.numbers()
                            if self.version and (self.changed(n) or self.gone(n) or n > self.size)]}

    # --- OAuth 2 ---

    def grant(self, call, response, client, grants, client_in="body", answer=None, rotate=False):
        """The token endpoint (RFC 6749): client is (id, secret); grants has grant types and what they must come with."""
        form = call.form()
        if client_in == "basic":
            given = call.basic()
        else:
            given = (form.pop("client_id", None), form.pop("client_secret", None))
        if given != client:
            raise Refusal(401, {"error": "invalid_client"})
        wanted = grants.get(form.pop("grant_type", None))
        if wanted is None:
            raise Refusal(400, {"error": "unsupported_grant_type"})
        if self.refresh_token and "refresh_token" in wanted:
            wanted = dict(wanted, refresh_token=self.refresh_token)
        if form != wanted:
            raise Refusal(400, {"error": "invalid_grant"})
        self.issued += 1
        token = "%s-access-%d" % (self.name, self.issued)
        self.tokens[token] = self.set.get("token_uses", 10 ** 9)
        value = dict({"access_token": token, "token_type": "bearer", "expires_in": 1800}, **(answer or {}))
        if rotate:
            self.refresh_token = value["refresh_token"] = "%s-refresh-%d" % (self.name, self.issued)
        response.set_json(value)

    def granted(self, call):
        """Is the request's token one that was given out, and not used up?"""
        token = call.bearer()
        if self.tokens.get(token, 0) <= 0:
            return False
        self.tokens[token] -= 1
        return True


def moment(seconds, form="%Y-%m-%dT%H:%M:%SZ"):
    """A point in time as text, in UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime(form)


def read_moment(text):
    """ISO 8601 with an offset, to seconds."""
    time = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if time.tzinfo is None:
        raise ValueError("a time without an offset: " + text)
    return time.timestamp()


def read_local(text, form, zone=datetime.timezone.utc):
    """A time without offset in some form and zone, to seconds."""
    return datetime.datetime.strptime(text, form).replace(tzinfo=zone).timestamp()
