"""Imitations of what shops run on: Stripe (charges and events), Shopify."""

import datetime
import urllib.parse

from imitations.base import Imitation, Refusal, moment, read_moment


class Stripe(Imitation):
    """Lists, newest first: starting_after, has_more, created[gte] in epoch seconds."""

    name = "stripe"

    def error(self, status, message):
        return Refusal(status, {"error": {"type": "invalid_request_error", "message": message}})

    def changed(self, n):
        # What was created stays as it was: charges have no time of update.
        return False

    gone = changed

    def respond(self, call, response):
        if call.bearer() != "stripe-key" and call.basic() != ("stripe-key", ""):
            raise self.error(401, "Invalid API Key provided")
        if call.path != ["v1", self.collection]:
            raise self.error(404, "Unrecognized request URL")
        self.only(call, "limit", "starting_after", "created[gte]", "created[lte]", "types[]")
        limit = self.whole(call.arg("limit", "10"), 1, 100)
        low, high = int(call.arg("created[gte]", "0")), int(call.arg("created[lte]", str(2 ** 40)))
        found = [n for n in self.records(call) if low <= self.updated(n) <= high]
        found.sort(key=self.updated, reverse=True)
        after = call.arg("starting_after")
        if after is not None:
            keys = [self.key(n) for n in found]
            if after not in keys:
                raise self.error(400, "No such object: '%s'" % after)
            found = found[keys.index(after) + 1:]
        response.set_json({"object": "list", "url": "/v1/" + self.collection, "has_more": len(found) > limit,
                           "data": [self.record(n) for n in found[:limit]]})

    collection = "charges"

    def records(self, call):
        if "types[]" in call.query:
            raise self.error(400, "Received unknown parameter: types")
        return self.numbers()

    def record(self, n):
        return {"id": self.key(n), "object": "charge", "amount": 1000 + n, "currency": "eur", "created": self.updated(n),
                "customer": "cus_%d" % (n % 20) if n % 3 else None, "metadata": {"order": str(n)}}

    def key(self, n):
        return "ch_%06d" % n


class StripeEvents(Stripe):
    """Events of customers: what was deleted is told, types[] repeats."""

    name = "stripe_ev"
    size = 180
    collection = "events"
    TYPES = ("customer.created", "customer.updated", "customer.deleted")

    def type_of(self, n):
        return self.TYPES[(n - 1) % 3 if n % 30 == 3 else (n - 1) % 2]

    def records(self, call):
        types = call.query.get("types[]", [])
        if not types or set(types) - set(self.TYPES):
            raise self.error(400, "types[] is missing or wrong")
        return [n for n in self.numbers() if self.type_of(n) in types]

    def record(self, n):
        return {"id": self.key(n), "object": "event", "type": self.type_of(n), "created": self.updated(n),
                "data": {"object": {"id": "cus_%d" % ((n + 1) // 2), "object": "customer",
                                    "email": "user%d@example.com" % n}}}

    def key(self, n):
        return "evt_%06d" % n


class Shopify(Imitation):
    """REST orders: Link header, whose URL carries only limit and page_info; prices are strings; a ratio as the limit."""

    name = "shopify"
    settings = {"bucket": 40}

    def error(self, status, message):
        return Refusal(status, {"errors": message})

    def respond(self, call, response):
        if call.headers.get("X-Shopify-Access-Token") != "shopify-token":
            raise self.error(401, "[API] Invalid API key or access token (unrecognized login or wrong password)")
        if call.path != ["admin", "api", "2025-01", "orders.json"]:
            raise self.error(404, "Not Found")
        used = self.counts["used"] = self.counts.get("used", 0) + 1
        response.headers["X-Shopify-Shop-Api-Call-Limit"] = "%d/%d" % (min(used, self.set["bucket"]), self.set["bucket"])
        limit = self.whole(call.arg("limit", "50"), 1, 250)
        if call.arg("page_info") is not None:
            if set(call.query) - {"limit", "page_info"}:
                raise self.error(400, "page_info may be used with limit only")
            since, start = (int(part) for part in call.arg("page_info").split("~"))
        else:
            self.only(call, "limit", "order", "status", "updated_at_min")
            if call.arg("order") != "updated_at asc" or call.arg("status") != "any":
                raise self.error(400, "order or status is not as it should be")
            since, start = read_moment(call.arg("updated_at_min", "1970-01-01T00:00:00Z")), 0
        found = sorted((n for n in self.numbers() if self.updated(n) >= since), key=self.updated)
        if start + limit < len(found):
            query = urllib.parse.urlencode({"limit": limit, "page_info": "%d~%d" % (since, start + limit)})
            response.headers["Link"] = '<%s/%s?%s>; rel="next"' % (call.base, "/".join(call.path), query)
        response.set_json({"orders": [self.order(n) for n in found[start:start + limit]]})

    def order(self, n):
        zone = datetime.timezone(datetime.timedelta(hours=-8 if n % 2 else -7))
        local = datetime.datetime.fromtimestamp(self.updated(n), zone).isoformat()
        return {"id": 450789469 * 1000 + n, "name": "#%d" % n, "total_price": "%d.90" % n, "currency": "USD",
                "financial_status": "refunded" if self.changed(n) else "paid", "updated_at": local,
                "cancelled_at": moment(self.updated(n)) if self.gone(n) else None}

    def key(self, n):
        return str(450789469 * 1000 + n)


IMITATIONS = (Stripe, StripeEvents, Shopify)
