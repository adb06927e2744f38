"""Imitations of Google's: Calendar, Analytics (GA4) and Sheets."""

import datetime

from imitations.base import Imitation, Refusal, moment


class GoogleError(Imitation):
    def error(self, status, message):
        return Refusal(status, {"error": {"code": status, "message": message, "status": "INVALID_ARGUMENT"}})

    def authorize(self, call, response):
        """True where the request was one for a token, and has been answered."""
        if call.path == ["token"]:
            self.grant(call, response, ("google-client", "google-secret"), {"refresh_token": {"refresh_token": "google-refresh"}})
            return True
        if not self.granted(call):
            raise self.error(401, "Request had invalid authentication credentials.")
        return False


class Calendar(GoogleError):
    """Events of each calendar: pages that are short, a sync token on the last one, 410 where it is too old."""

    name = "gcal"
    size = 90
    settings = {"token_uses": 10 ** 9, "expired": False}
    CALENDARS = ("ada@example.com", "team#holiday@group.v.calendar.google.com", "empty@example.com")

    def respond(self, call, response):
        if self.authorize(call, response):
            return
        if call.path == ["calendar", "v3", "users", "me", "calendarList"]:
            self.only(call, "maxResults", "pageToken")
            at = int(call.arg("pageToken", "0"))
            value = {"kind": "calendar#calendarList", "items": [{"id": self.CALENDARS[at], "summary": "Calendar %d" % at}]}
            if at + 1 < len(self.CALENDARS):
                value["nextPageToken"] = str(at + 1)
            response.set_json(value)
        elif call.path[:3] == ["calendar", "v3", "calendars"] and call.path[4:] == ["events"]:
            if call.path[3] not in self.CALENDARS:
                raise self.error(404, "Not Found")
            self.events(call, response, self.CALENDARS.index(call.path[3]))
        else:
            raise self.error(404, "Not Found")

    def events(self, call, response, calendar):
        self.only(call, "maxResults", "pageToken", "syncToken", "timeMin")
        token, old = call.arg("syncToken"), 0
        if token is not None:
            if call.arg("timeMin") is not None:
                raise self.error(400, "Sync token cannot be combined with timeMin")
            if not token.startswith("sync=%d." % calendar):
                raise self.error(400, "The sync token is not one of this calendar")
            if self.set["expired"] and calendar == 0:
                self.set["expired"] = False
                raise self.error(410, "Sync token is no longer valid, a full sync is required.")
            old = int(token.split(".")[1])
        found = [n for n in self.numbers() if n % 2 == calendar]
        if token is not None:
            found = [n for n in found if old < self.version and (self.changed(n) or self.gone(n) or n > self.size)]
        else:
            found = [n for n in found if not self.gone(n)]
        size, at = self.whole(call.arg("maxResults", "250"), 1, 2500), int(call.arg("pageToken", "0"))
        # Shorter than asked for; that is not the end.
        size = min(size, 20)
        value = {"kind": "calendar#events", "items": [self.event(n) for n in found[at:at + size]]}
        if at + size < len(found):
            value["nextPageToken"] = str(at + size)
        else:
            value["nextSyncToken"] = "sync=%d.%d" % (calendar, self.version)
        response.set_json(value)

    def event(self, n):
        if self.gone(n):
            return {"id": self.key(n), "status": "cancelled"}
        return {"id": self.key(n), "status": "confirmed", "summary": "Event %d" % n, "updated": moment(self.updated(n)),
                "start": {"dateTime": moment(self.updated(n) + 86400)}}

    def key(self, n):
        return "event%05d" % n


class Analytics(GoogleError):
    """runReport: names in header arrays, values in row arrays, offset and limit in the body, dates of the property."""

    name = "ga4"
    settings = {"token_uses": 10 ** 9}
    COUNTRIES = 25

    def respond(self, call, response):
        if self.authorize(call, response):
            return
        if call.method != "POST" or call.path != ["v1beta", "properties", "123456:runReport"]:
            raise self.error(404, "Not Found")
        body = call.json()
        (dates,) = body["dateRanges"]
        if [d["name"] for d in body["dimensions"]] != ["date", "country"] or [m["name"] for m in body["metrics"]] != ["activeUsers"]:
            raise self.error(400, "dimensions or metrics")
        day, last = (datetime.date.fromisoformat(dates[name]) for name in ("startDate", "endDate"))
        offset, limit = int(body.get("offset", 0)), self.whole(body.get("limit", 10000), 1, 250000)
        rows = []
        while day <= last:
            rows += [(day.strftime("%Y%m%d"), "Country %d" % c) for c in range(1, self.COUNTRIES + 1)]
            day += datetime.timedelta(days=1)
        value = {"kind": "analyticsData#runReport", "rowCount": len(rows), "metadata": {"timeZone": "Europe/Riga"},
                 "dimensionHeaders": [{"name": "date"}, {"name": "country"}],
                 "metricHeaders": [{"name": "activeUsers", "type": "TYPE_INTEGER"}]}
        if rows[offset:]:
            value["rows"] = [{"dimensionValues": [{"value": date}, {"value": country}],
                              "metricValues": [{"value": str(len(country) + self.version)}]}
                             for date, country in rows[offset:offset + limit]]
        response.set_json(value)


class Sheets(GoogleError):
    """The values of a range: the first row has the names, cells at the end of a row are left out where they are empty."""

    name = "sheets"
    size = 60

    def respond(self, call, response):
        if call.arg("key") != "sheets-key":
            raise self.error(403, "Method doesn't allow unregistered callers")
        if call.path != ["v4", "spreadsheets", "sheet-id", "values", "Stock!A:D"]:
            raise self.error(404, "Requested entity was not found.")
        self.only(call, "key", "valueRenderOption", "dateTimeRenderOption")
        rows = [["sku", "name", "counted", "note"]]
        for n in self.numbers():
            # Dates are days since 1899-12-30.
            row = [self.key(n), "Thing %d" % n, 45413 + n]
            rows.append(row + ["changed"] if self.changed(n) else row)
        response.set_json({"range": "Stock!A1:D%d" % len(rows), "majorDimension": "ROWS", "values": rows})

    def key(self, n):
        return "SKU-%d" % n


IMITATIONS = (Calendar, Analytics, Sheets)
