"""Imitations of what people are reached by: Slack, Twilio.  Both list something for each of a parent's rows."""

import email.utils

from imitations.base import Imitation, Refusal, read_local


class Slack(Imitation):
    """Web API: errors come with status 200, pages by response_metadata.next_cursor, ts is a float in a string."""

    name = "slack"
    size = 240
    settings = {"limit": True}
    # The application is no member of the last one.
    CHANNELS = ("C01", "C02", "C03", "C04")

    def error(self, status, message):
        return Refusal(200, {"ok": False, "error": "invalid_arguments", "response_metadata": {"messages": [message]}})

    def respond(self, call, response):
        if call.bearer() != "slack-token":
            raise Refusal(200, {"ok": False, "error": "not_authed"})
        if call.path == ["api", "conversations.list"]:
            self.only(call, "limit", "cursor", "types")
            found = [{"id": channel, "name": "channel-" + channel.lower(), "is_member": channel != self.CHANNELS[-1]}
                     for channel in self.CHANNELS]
            self.page(call, response, "channels", found, 3)
        elif call.path == ["api", "conversations.history"]:
            self.only(call, "channel", "limit", "cursor", "oldest", "latest", "inclusive")
            self.history(call, response)
        else:
            raise Refusal(200, {"ok": False, "error": "unknown_method"})

    def history(self, call, response):
        channel = call.arg("channel")
        if channel not in self.CHANNELS:
            raise Refusal(200, {"ok": False, "error": "channel_not_found"})
        if channel == self.CHANNELS[-1]:
            raise Refusal(200, {"ok": False, "error": "not_in_channel"})
        if self.set["limit"] and channel == "C02" and self.once("limited"):
            # Tells it in the body alone; the HTTP status of the web API's other limit is in the tests of rates.
            raise Refusal(200, {"ok": False, "error": "ratelimited"})
        oldest, latest = float(call.arg("oldest", "0")), float(call.arg("latest", "1e12"))
        if call.arg("inclusive") != "true":
            raise self.error(200, "without inclusive the boundary is left out")
        found = [n for n in self.numbers() if self.channel(n) == channel and oldest <= float(self.stamp(n)) <= latest]
        found.sort(key=self.stamp, reverse=True)
        self.page(call, response, "messages", [
            {"type": "message", "user": "U%d" % (n % 9), "text": "Message %d" % n, "ts": self.stamp(n)} for n in found], 200)

    def page(self, call, response, name, found, most):
        size = min(self.whole(call.arg("limit", "100"), 1, 999), most, 30)
        cursor = call.arg("cursor") or ""
        if cursor and not cursor.startswith("bmV4dA=="):
            raise Refusal(200, {"ok": False, "error": "invalid_cursor"})
        start = int(cursor[8:] or 0)
        more = start + size < len(found)
        response.set_json({"ok": True, name: found[start:start + size], "has_more": more,
                           "response_metadata": {"next_cursor": "bmV4dA==%d" % (start + size) if more else ""}})

    def changed(self, n):
        return False

    gone = changed

    def truth(self):
        return dict(super().truth(), latest=max(float(self.stamp(n)) for n in self.numbers()))

    def channel(self, n):
        return self.CHANNELS[n % 3]

    def stamp(self, n):
        return "%d.%06d" % (self.updated(n), n)

    def key(self, n):
        return self.channel(n) + "/" + self.stamp(n)


class Twilio(Imitation):
    """Calls of each account: next_page_uri relative, operators in the names of parameters, RFC 2822 dates, 404 for none."""

    name = "twilio"
    size = 200
    step = 3600
    ACCOUNTS = ("AC01", "AC02", "AC03")

    def error(self, status, message):
        return Refusal(status, {"code": 20000 + status, "message": message, "more_info": "x", "status": status})

    def respond(self, call, response):
        if call.basic() != ("AC01", "twilio-token"):
            raise self.error(401, "Authenticate")
        if call.path == ["2010-04-01", "Accounts.json"]:
            self.only(call, "PageSize", "Page", "PageToken")
            self.page(call, response, "accounts", [{"sid": sid, "friendly_name": sid} for sid in self.ACCOUNTS], 2)
        elif call.path[:2] == ["2010-04-01", "Accounts"] and call.path[3:] == ["Calls.json"]:
            if call.path[2] not in self.ACCOUNTS:
                raise self.error(403, "Account not yours")
            self.only(call, "PageSize", "Page", "PageToken", "EndTime>")
            since = read_local(call.arg("EndTime>", ""), "%Y-%m-%d")
            found = [n for n in self.numbers() if self.account(n) == call.path[2]]
            if not found:
                raise self.error(404, "The requested resource %s was not found" % call.target)
            # A call that is going on has no end, and is always listed.
            found = [n for n in found if self.going_on(n) or self.updated(n) >= since]
            self.page(call, response, "calls", [
                {"sid": self.key(n), "account_sid": self.account(n), "duration": str(n),
                 "status": "in-progress" if self.going_on(n) else "completed",
                 "end_time": None if self.going_on(n) else email.utils.formatdate(self.updated(n))}
                for n in found], 40)
        else:
            raise self.error(404, "The requested resource was not found")

    def page(self, call, response, name, found, most):
        size, page = min(self.whole(call.arg("PageSize", "50"), 1, 1000), most), int(call.arg("Page", "0"))
        if page and call.arg("PageToken") != "PT%d" % page:
            raise self.error(400, "Page token is invalid")
        more = (page + 1) * size < len(found)
        response.set_json({name: found[page * size:(page + 1) * size], "page": page, "page_size": size,
                           "next_page_uri": call.with_query(Page=page + 1, PageToken="PT%d" % (page + 1)) if more else None})

    def changed(self, n):
        return self.version > 0 and self.was_going_on(n)

    def gone(self, n):
        return False

    def was_going_on(self, n):
        return n == 198

    def going_on(self, n):
        return self.was_going_on(n) and self.version == 0

    def account(self, n):
        return self.ACCOUNTS[n % 2]

    def key(self, n):
        return "CA%032x" % n


IMITATIONS = (Slack, Twilio)
