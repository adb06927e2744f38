"""Imitations of accounting: Xero, QuickBooks."""

import re

from imitations.base import Imitation, Refusal, moment, read_local, read_moment


class Xero(Imitation):
    """Invoices: pages from 1, If-Modified-Since as a header, /Date()/, a limit a minute and one a day."""

    name = "xero"
    settings = {"token_uses": 10 ** 9, "problem": ""}

    def error(self, status, message):
        return Refusal(status, {"Type": None, "Title": message, "Status": status, "Detail": message})

    def respond(self, call, response):
        if call.path == ["connect", "token"]:
            self.grant(call, response, ("xero-client", "xero-secret"),
                       {"client_credentials": {"scope": "accounting.transactions.read"}}, client_in="basic")
            return
        if not self.granted(call):
            raise self.error(401, "Unauthorized")
        if call.headers.get("Xero-Tenant-Id") != "00000000-0000-4000-8000-000000000001":
            raise self.error(403, "Forbidden")
        if call.path != ["api.xro", "2.0", "Invoices"]:
            raise self.error(404, "The resource you're looking for cannot be found")
        if self.set["problem"] and self.once("problem", 10 ** 9 if self.set["problem"] == "day" else 1):
            raise Refusal(429, b"", {"X-Rate-Limit-Problem": self.set["problem"], "Content-Type": "text/plain",
                                     **({"Retry-After": "1"} if self.set["problem"] == "minute" else {})})
        self.only(call, "page", "pageSize")
        page, size = self.whole(call.arg("page"), 1, 10 ** 6), self.whole(call.arg("pageSize", "100"), 1, 1000)
        since = read_local(call.headers.get("If-Modified-Since", ""), "%Y-%m-%dT%H:%M:%S")
        found = sorted((n for n in self.numbers() if self.updated(n) >= since), key=self.updated)
        response.set_json({"Id": "x", "Status": "OK", "Invoices": [
            {"InvoiceID": self.key(n), "InvoiceNumber": "INV-%d" % n, "Type": "ACCREC", "Total": n + 0.5,
             "Status": "VOIDED" if self.gone(n) else "PAID" if self.changed(n) else "AUTHORISED",
             "Date": "/Date(%d000+0000)/" % (self.updated(n) // 86400 * 86400),
             "UpdatedDateUTC": "/Date(%d000+0000)/" % self.updated(n)} for n in found[(page - 1) * size:page * size]]})

    def key(self, n):
        return "00000000-0000-4000-9000-%012d" % n


class QuickBooks(Imitation):
    """Query: pages are asked for inside of the query's text, what is empty has no list, refresh tokens rotate."""

    name = "quickbooks"
    size = 300
    settings = {"token_uses": 10 ** 9}

    def error(self, status, message):
        return Refusal(status, {"Fault": {"Error": [{"Message": message, "code": "4000"}], "type": "ValidationFault"}})

    def respond(self, call, response):
        if call.path == ["oauth2", "v1", "tokens", "bearer"]:
            self.grant(call, response, ("quickbooks-client", "quickbooks-secret"),
                       {"refresh_token": {"refresh_token": "quickbooks-refresh"}}, client_in="basic", rotate=True)
            return
        if not self.granted(call):
            raise Refusal(401, {"fault": {"error": [{"message": "AuthenticationFailed"}], "type": "AUTHENTICATION"}})
        if call.path != ["v3", "company", "123146", "query"]:
            raise self.error(404, "Not Found")
        if call.headers.get("Accept") != "application/json":
            raise Refusal(200, b"<?xml version=\"1.0\"?><IntuitResponse/>", {"Content-Type": "application/xml"})
        self.only(call, "query", "minorversion")
        found = re.fullmatch(r"SELECT \* FROM Invoice WHERE Metadata\.LastUpdatedTime >= '([^']+)' AND "
                             r"Metadata\.LastUpdatedTime < '([^']+)' ORDERBY Metadata\.LastUpdatedTime "
                             r"STARTPOSITION (\d+) MAXRESULTS (\d+)", call.arg("query", ""))
        if not found:
            raise self.error(400, "Error parsing query: " + call.arg("query", ""))
        low, high = read_moment(found.group(1)), read_moment(found.group(2))
        start, count = self.whole(found.group(3), 1, 10 ** 9), self.whole(found.group(4), 1, 1000)
        rows = sorted((n for n in self.numbers() if low <= self.updated(n) < high), key=self.updated)
        rows = rows[start - 1:start - 1 + count]
        answer = {"Invoice": [
            {"Id": self.key(n), "DocNumber": str(1000 + n), "TotalAmt": n * 1.25, "Balance": 0 if self.changed(n) else n,
             "MetaData": {"LastUpdatedTime": moment(self.updated(n), "%Y-%m-%dT%H:%M:%S+00:00")}} for n in rows],
            "startPosition": start, "maxResults": len(rows)} if rows else {}
        response.set_json({"QueryResponse": answer, "time": "2024-05-01T00:00:00.000-07:00"})


IMITATIONS = (Xero, QuickBooks)
