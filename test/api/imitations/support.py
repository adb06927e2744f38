"""Imitations of help desks: Zendesk, Intercom."""

import re
import time

from imitations.base import Imitation, Refusal, moment

NGINX_404 = (b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n"
             b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n")


class Zendesk(Imitation):
    """The incremental export by cursor: after_url also on the last page, end_of_stream, the last ticket comes again."""

    name = "zendesk"
    settings = {"page": 60, "limit_at": 0}

    def error(self, status, message):
        return Refusal(status, {"error": "InvalidRequest", "description": message})

    def respond(self, call, response):
        if call.basic() != ("ada@example.com/token", "zendesk-token"):
            raise self.error(401, "Couldn't authenticate you")
        if call.path != ["api", "v2", "incremental", "tickets", "cursor.json"]:
            raise self.error(404, "Not found")
        self.counts["requests"] = self.counts.get("requests", 0) + 1
        if self.counts["requests"] == self.set["limit_at"]:
            raise Refusal(429, {"error": "APIRateLimitExceeded"}, {"Retry-After": "1"})
        if call.arg("cursor") is not None:
            self.only(call, "cursor")
            start = int(re.fullmatch(r"MTU3=(\d+)==", call.arg("cursor")).group(1))
            found = sorted(self.numbers(), key=self.stamp)
        else:
            self.only(call, "start_time")
            since = int(call.arg("start_time"))
            if since > time.time() - 60:
                raise self.error(400, "Too recent start_time. Use a start_time older than 60 seconds")
            found = sorted(self.numbers(), key=self.stamp)
            start = sum(1 for n in found if self.stamp(n) < since)
        end = start + self.set["page"]
        done = end >= len(found)
        # A page begins with the ticket that the one before ended with.
        cursor = "MTU3=%d==" % (len(found) if done else end - 1)
        response.set_json({"tickets": [
            {"id": n, "subject": "Ticket %d" % n, "status": "deleted" if self.gone(n) else "solved" if self.changed(n) else "open",
             "updated_at": moment(self.stamp(n))} for n in found[start:end]],
            "after_url": "%s/%s?cursor=%s" % (call.base, "/".join(call.path), cursor), "after_cursor": cursor,
            "before_url": None, "end_of_stream": done})

    def stamp(self, n):
        """More tickets than fit a page were changed in the same second, by a macro."""
        return self.updated(101) if 101 <= n <= 200 and not self.changed(n) else self.updated(n)


class Intercom(Imitation):
    """Contact search: filters by day only, 500 in the middle of a listing, a 404 of the web server before it."""

    name = "intercom"
    step = 6 * 3600
    settings = {"breaks": True, "missing": False}

    def error(self, status, message):
        return Refusal(status, {"type": "error.list", "errors": [{"code": "parameter_invalid", "message": message}]})

    def respond(self, call, response):
        if self.set["missing"]:
            raise Refusal(404, NGINX_404, {"Content-Type": "text/html"})
        if call.bearer() != "intercom-token":
            raise self.error(401, "Access Token Invalid")
        if call.method != "POST" or call.path != ["contacts", "search"]:
            raise self.error(404, "Requested resource was not found")
        if call.headers.get("Intercom-Version") != "2.11":
            raise self.error(400, "The requested version could not be found")
        body = call.json()
        query, paging = body.pop("query"), body.pop("pagination")
        if body or query["field"] != "updated_at" or query["operator"] != ">" or type(query["value"]) is not int:
            raise self.error(400, "bad query")
        # Days, not seconds: greater than means on a later day.
        day = query["value"] // 86400
        size = self.whole(paging.get("per_page", 50), 1, 150)
        after = paging.get("starting_after")
        if after is not None and not after.startswith("%d:" % day):
            raise self.error(400, "starting_after")
        start = int(after.split(":")[1]) if after else 0
        if start and self.set["breaks"] and self.once("break"):
            raise self.error(500, "Internal server error")
        found = [n for n in self.numbers() if self.updated(n) // 86400 > day]
        value = {"type": "list", "total_count": len(found), "data": [
            {"type": "contact", "id": self.key(n), "email": "user%d@example.com" % n, "role": "user",
             "updated_at": self.updated(n), "tags": {"type": "list", "data": [], "has_more": False}}
            for n in found[start:start + size]], "pages": {"type": "pages", "per_page": size}}
        if start + size < len(found):
            value["pages"]["next"] = {"starting_after": "%d:%d" % (day, start + size)}
        response.set_json(value)

    def key(self, n):
        return "%024x" % n


IMITATIONS = (Zendesk, Intercom)
