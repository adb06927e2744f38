"""Imitations of what teams work with: GitHub, Jira, Notion, Airtable."""

import re
import time
import zoneinfo

from imitations.base import Imitation, Refusal, moment, read_local, read_moment


class GitHub(Imitation):
    """REST issues: a root array, Link header, User-Agent wanted, 403 with x-ratelimit-* as a limit, 202 for statistics."""

    name = "github"
    settings = {"remaining": 5000, "limit_wait": 1}

    def error(self, status, message):
        return Refusal(status, {"message": message, "documentation_url": "https://docs.github.com/rest"})

    def respond(self, call, response):
        if not call.headers.get("User-Agent"):
            raise Refusal(403, b"Request forbidden by administrative rules. Please make sure your request has a "
                               b"User-Agent header.\n", {"Content-Type": "text/html"})
        if call.bearer() != "github-token":
            raise self.error(401, "Bad credentials")
        self.count(response)
        if call.path[:1] == ["repos"] and call.path[3:] == ["issues"]:
            self.issues(call, response)
        elif call.path[:1] == ["repos"] and call.path[3:] == ["stats", "contributors"]:
            if self.once("statistics"):
                response.set_json({}, 202)
            else:
                response.set_json([{"author": {"login": "user%d" % n, "id": n}, "total": n * 3} for n in range(1, 6)])
        else:
            raise self.error(404, "Not Found")

    def count(self, response):
        """The primary limit: remaining requests, and when there will be more."""
        reset = self.counts.get("reset", 0)
        if reset and time.time() >= reset:
            self.set["remaining"], reset = 5000, 0
        elif not reset and self.set["remaining"] <= 1:
            reset = int(time.time()) + 1 + self.set["limit_wait"]
        self.counts["reset"] = reset
        response.headers["x-ratelimit-remaining"] = str(max(self.set["remaining"] - 1, 0))
        response.headers["x-ratelimit-reset"] = str(reset or int(time.time()) + 3600)
        if self.set["remaining"] <= 0:
            raise self.error(403, "API rate limit exceeded")
        self.set["remaining"] -= 1

    def issues(self, call, response):
        self.only(call, "state", "sort", "direction", "per_page", "page", "since")
        size, page = self.whole(call.arg("per_page", "30"), 1, 100), self.whole(call.arg("page", "1"), 1, 10 ** 6)
        since = read_moment(call.arg("since")) if call.arg("since") else 0
        if (call.arg("state"), call.arg("sort"), call.arg("direction")) != ("all", "updated", "asc"):
            raise self.error(422, "Validation Failed")
        found = sorted((n for n in self.numbers() if self.updated(n) >= since), key=self.updated)
        if page * size < len(found):
            response.headers["Link"] = '<%s%s>; rel="next", <%s%s>; rel="last"' % (
                call.origin, call.with_query(page=page + 1), call.origin, call.with_query(page=-(-len(found) // size)))
        response.set_json([{"id": 2 ** 40 + n, "node_id": "I_%d" % n, "number": n, "title": "Issue %d" % n,
                            "state": "closed" if self.changed(n) else "open", "user": {"login": "user%d" % (n % 7)},
                            "updated_at": moment(self.updated(n))} for n in found[(page - 1) * size:page * size]])

    def key(self, n):
        return str(2 ** 40 + n)


class Jira(Imitation):
    """Search by JQL: times are minutes in the user's zone, without offset; pages by nextPageToken and isLast."""

    name = "jira"
    settings = {"zone": "Europe/Riga"}

    def error(self, status, message):
        return Refusal(status, {"errorMessages": [message], "errors": {}})

    def respond(self, call, response):
        if call.basic() != ("ada@example.com", "jira-token"):
            raise self.error(401, "Client must be authenticated to access this resource.")
        if call.path != ["rest", "api", "3", "search", "jql"]:
            raise self.error(404, "null for uri")
        self.only(call, "jql", "fields", "maxResults", "nextPageToken")
        query = re.fullmatch(r"updated >= ['\"](\d{4}-\d\d-\d\d \d\d:\d\d)['\"] ORDER BY updated ASC", call.arg("jql", ""),
                             re.IGNORECASE)
        if not query:
            raise self.error(400, "Error in the JQL Query: " + call.arg("jql", ""))
        zone = zoneinfo.ZoneInfo(self.set["zone"])
        since = read_local(query.group(1), "%Y-%m-%d %H:%M", zone)
        # Fewer than asked for, as the server pleases.
        size = min(self.whole(call.arg("maxResults", "50"), 1, 5000), 60)
        token = call.arg("nextPageToken")
        if token is not None and not token.startswith("jira:%d:" % since):
            raise self.error(400, "The nextPageToken is invalid")
        start = int(token.split(":")[2]) if token else 0
        found = sorted((n for n in self.numbers() if self.updated(n) >= since), key=self.updated)
        value = {"issues": [{"id": str(10000 + n), "key": "APP-%d" % n, "fields": {
            "summary": "Task %d" % n, "status": {"name": "Done" if self.changed(n) else "To Do"},
            "updated": moment(self.updated(n), "%Y-%m-%dT%H:%M:%S.000+0000")}} for n in found[start:start + size]],
            "isLast": start + size >= len(found)}
        if not value["isLast"]:
            value["nextPageToken"] = "jira:%d:%d" % (since, start + size)
        response.set_json(value)

    def key(self, n):
        return "APP-%d" % n


class Notion(Imitation):
    """POST search: the cursor goes into the body, no filter by time, 504 where a page is too much."""

    name = "notion"
    size = 120
    settings = {"most": 50}

    def error(self, status, message):
        return Refusal(status, {"object": "error", "status": status, "code": "validation_error", "message": message})

    def respond(self, call, response):
        if call.bearer() != "notion-token":
            raise self.error(401, "API token is invalid.")
        if call.headers.get("Notion-Version") != "2022-06-28":
            raise self.error(400, "Notion-Version header failed validation")
        if call.method != "POST" or call.path != ["v1", "search"]:
            raise self.error(400, "Invalid request URL.")
        body = call.json()
        if set(body) - {"page_size", "start_cursor", "filter", "sort"}:
            raise self.error(400, "body failed validation")
        size = self.whole(body.get("page_size", 100), 1, 100)
        if size > self.set["most"]:
            raise self.error(504, "Gateway timeout")
        cursor = body.get("start_cursor")
        if cursor is not None and not re.fullmatch(r"cursor-\d+", cursor):
            raise self.error(400, "start_cursor provided is invalid: " + cursor)
        start = int(cursor[7:]) if cursor else 0
        found = list(self.numbers())
        more = start + size < len(found)
        response.set_json({"object": "list", "results": [
            {"object": "page", "id": self.key(n), "last_edited_time": moment(self.updated(n), "%Y-%m-%dT%H:%M:%S.000Z"),
             "archived": self.gone(n), "url": "https://www.notion.so/%d" % n} for n in found[start:start + size]],
            "has_more": more, "next_cursor": "cursor-%d" % (start + size) if more else None, "type": "page_or_database"})

    def key(self, n):
        return "00000000-0000-4000-8000-%012d" % n


class Airtable(Imitation):
    """Records: fields nested, an opaque offset, 429 that says nothing and means 30 seconds."""

    name = "airtable"
    settings = {"wait": 30, "limit_at": 0}

    def error(self, status, message):
        return Refusal(status, {"error": {"type": "INVALID_REQUEST", "message": message}})

    def respond(self, call, response):
        if call.bearer() != "airtable-token":
            raise self.error(401, "Authentication required")
        if call.path != ["v0", "appExample", "Contacts"]:
            raise self.error(404, "NOT_FOUND")
        self.limit()
        self.only(call, "pageSize", "offset", "filterByFormula")
        size = self.whole(call.arg("pageSize", "100"), 1, 100)
        formula = re.fullmatch(r"NOT\(IS_BEFORE\(\{Modified\}, '([^']+)'\)\)", call.arg("filterByFormula", ""))
        if not formula:
            raise self.error(422, "The formula for filtering records is invalid")
        since = read_moment(formula.group(1))
        offset = call.arg("offset")
        if offset is not None and not re.fullmatch(r"itr%d/rec\d+" % since, offset):
            raise self.error(422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE")
        start = int(offset.rsplit("rec", 1)[1]) if offset else 0
        found = [n for n in self.numbers() if self.updated(n) >= since]
        value = {"records": [{"id": self.key(n), "createdTime": "2024-01-01T00:00:00.000Z", "fields": {
            "Name": "Contact %d" % n, "Modified": moment(self.updated(n), "%Y-%m-%dT%H:%M:%S.000Z"),
            # A checkbox that is not set is left out.
            **({"Active": True} if n % 2 else {})}} for n in found[start:start + size]]}
        if start + size < len(found):
            value["offset"] = "itr%d/rec%d" % (since, start + size)
        response.set_json(value)

    def limit(self):
        """The request of that number is too much, and so is any before the wait is over."""
        until = self.counts.get("until", 0)
        self.counts["requests"] = self.counts.get("requests", 0) + 1
        if self.counts["requests"] == self.set["limit_at"]:
            until = self.counts["until"] = time.time() + self.set["wait"]
        if time.time() < until:
            raise Refusal(429, {"errors": [{"error": "RATE_LIMIT_REACHED"}]})

    def key(self, n):
        return "rec%014d" % n


IMITATIONS = (GitHub, Jira, Notion, Airtable)
