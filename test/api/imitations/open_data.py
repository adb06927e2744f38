"""Imitations of open data: openFDA, World Bank."""

import re
import urllib.parse

from imitations.base import BASE, Imitation, Refusal, moment, read_local


class OpenFda(Imitation):
    """Drug events: search_after in the Link header, an API key in the query, 404 where nothing is found."""

    name = "openfda"
    size = 260

    def error(self, status, message):
        code = {404: "NOT_FOUND", 403: "API_KEY_INVALID"}.get(status, "BAD_REQUEST")
        return Refusal(status, {"error": {"code": code, "message": message}})

    def respond(self, call, response):
        if call.arg("api_key") != "openfda-key":
            raise self.error(403, "An invalid api_key was supplied.")
        if call.path != ["drug", "event.json"]:
            raise self.error(404, "Not Found")
        self.only(call, "api_key", "search", "sort", "limit", "skip", "search_after")
        limit = self.whole(call.arg("limit", "1"), 1, 1000)
        search = re.fullmatch(r"receivedate:\[(\d{8}) TO (\d{8})\]", call.arg("search", ""))
        if not search or call.arg("sort") != "receivedate:asc":
            raise self.error(400, "Search or sort is not understood")
        low = read_local(search.group(1), "%Y%m%d")
        found = sorted((n for n in self.numbers() if self.updated(n) >= low), key=lambda n: (self.updated(n), n))
        if not found:
            raise self.error(404, "No matches found!")
        after = call.arg("search_after")
        start = int(re.fullmatch(r"0=(\d+)", after).group(1)) if after else 0
        if start + limit < len(found):
            pairs = [(k, v[-1]) for k, v in call.query.items() if k not in ("search_after", "api_key")]
            query = urllib.parse.urlencode(pairs + [("search_after", "0=%d" % (start + limit))])
            response.headers["Link"] = '<%s/%s?%s>; rel="next"' % (call.base, "/".join(call.path), query)
        response.set_json({"meta": {"disclaimer": "x", "results": {"skip": 0, "limit": limit, "total": len(found)}}, "results": [
            {"safetyreportid": self.key(n), "receivedate": moment(self.updated(n), "%Y%m%d"), "serious": "1",
             "patient": {"drug": [{"medicinalproduct": "ASPIRIN"}]}} for n in found[start:start + limit]]})

    def changed(self, n):
        return False

    gone = changed

    def updated(self, n):
        """Forty reports a day; what comes later is of later days."""
        return BASE + 86400 * (n // 40 + (10 if n > self.size else 0))

    def key(self, n):
        return str(5000000 + n)


class WorldBank(Imitation):
    """Indicators: an array of what is told of the list and the list; an error is an array of one, with status 200."""

    name = "worldbank"
    size = 0
    COUNTRIES = ("LV", "EE", "LT", "CH", "BR", "JP", "NG", "EC", "IN", "PL")

    def respond(self, call, response):
        if call.path[:4] != ["v2", "country", "all", "indicator"] or call.path[4:] != ["SP.POP.TOTL"]:
            raise Refusal(200, [{"message": [{"id": "120", "key": "Invalid value",
                                              "value": "The provided parameter value is not valid"}]}])
        self.only(call, "format", "per_page", "page", "date")
        if call.arg("format") != "json":
            raise Refusal(200, b"<?xml version=\"1.0\"?><wb:data/>", {"Content-Type": "text/xml"})
        first, last = (int(part) for part in call.arg("date", "").split(":"))
        rows = [(country, year) for country in self.COUNTRIES for year in self.years() if first <= year <= last]
        size, page = self.whole(call.arg("per_page", "50"), 1, 32500), self.whole(call.arg("page", "1"), 1, 10 ** 6)
        told = {"page": page, "pages": -(-len(rows) // size), "per_page": size, "total": len(rows), "sourceid": "2"}
        response.set_json([told, [
            {"indicator": {"id": "SP.POP.TOTL", "value": "Population, total"}, "country": {"id": country, "value": country},
             "date": str(year), "value": None if year < 1962 else year * 1000 + self.version, "decimal": 0}
            for country, year in rows[(page - 1) * size:page * size]] or None])

    def years(self):
        return range(1960, 2023 + self.version)

    def truth(self):
        keys = ["%s/%d" % (country, year) for country in self.COUNTRIES for year in self.years()]
        return {"version": self.version, "settings": self.set, "keys": keys, "latest": max(self.years()),
                "changed": [key for key in keys if self.version and key.endswith("/2023")]}


IMITATIONS = (OpenFda, WorldBank)
