"""Imitations of what sales and marketing use: HubSpot, Salesforce, Pipedrive, Mailchimp."""

import re

from imitations.base import Imitation, Refusal, moment, read_local, read_moment


class HubSpot(Imitation):
    """CRM search: POST, filters in the body, no listing beyond a cap, tokens that end after half an hour."""

    name = "hubspot"
    settings = {"cap": 10000, "token_uses": 10 ** 9}

    def error(self, status, message):
        return Refusal(status, {"status": "error", "message": message, "category": "VALIDATION_ERROR"})

    def respond(self, call, response):
        if call.path == ["oauth", "v1", "token"]:
            self.grant(call, response, ("hubspot-client", "hubspot-secret"),
                       {"refresh_token": {"refresh_token": "hubspot-refresh"}},
                       answer={"refresh_token": "hubspot-refresh"})
            return
        if not self.granted(call):
            raise self.error(401, "The OAuth token used to make this call expired")
        if call.method != "POST" or call.path != ["crm", "v3", "objects", "contacts", "search"]:
            raise self.error(404, "resource not found")
        body = call.json()
        if set(body) - {"filterGroups", "sorts", "properties", "limit", "after"}:
            raise self.error(400, "Invalid input JSON")
        limit, start = self.whole(body.get("limit", 10), 1, 200), int(body.get("after", 0))
        if start + limit > self.set["cap"]:
            raise self.error(400, "The offset is greater than the maximum of %d" % self.set["cap"])
        found = [n for n in self.numbers() if self.fits(n, body["filterGroups"][0]["filters"])]
        if body["sorts"] != [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]:
            raise self.error(400, "unsorted")
        value = {"total": len(found), "results": [
            {"id": self.key(n), "archived": False, "updatedAt": self.modified(n), "properties": {
                "hs_object_id": self.key(n), "email": "user%d@example.com" % n, "lastmodifieddate": self.modified(n)}}
            for n in found[start:start + limit]]}
        if start + limit < len(found):
            value["paging"] = {"next": {"after": str(start + limit)}}
        response.set_json(value)

    def fits(self, n, filters):
        """Is the record one that all filters let through?"""
        bounds = {f["propertyName"]: (f["operator"], int(f["value"])) for f in filters}
        if set(bounds) != {"lastmodifieddate", "hs_object_id"}:
            raise self.error(400, "filters")
        since, after = bounds["lastmodifieddate"], bounds["hs_object_id"]
        if since[0] != "GTE" or after[0] != "GT":
            raise self.error(400, "operators")
        return self.updated(n) * 1000 >= since[1] and int(self.key(n)) > after[1]

    def modified(self, n):
        return moment(self.updated(n), "%Y-%m-%dT%H:%M:%S.000Z")

    def key(self, n):
        return str(7000 + n)


class Salesforce(Imitation):
    """SOQL: where to ask is in the token's answer; nextRecordsUrl is relative; queryAll shows what is deleted."""

    name = "salesforce"
    settings = {"token_uses": 10 ** 9, "page": 100}

    def error(self, status, message):
        return Refusal(status, [{"message": message, "errorCode": "INVALID_SESSION_ID" if status == 401 else "MALFORMED_QUERY"}])

    def respond(self, call, response):
        if call.path == ["services", "oauth2", "token"]:
            self.grant(call, response, ("salesforce-client", "salesforce-secret"), {"client_credentials": {}},
                       answer={"instance_url": call.base + "/instance", "expires_in": None})
            return
        if not self.granted(call):
            raise self.error(401, "Session expired or invalid")
        if call.path[:4] != ["instance", "services", "data", "v61.0"]:
            raise self.error(404, "The requested resource does not exist")
        if call.path[4:5] == ["query"] and len(call.path) == 6:
            self.only(call)
            low, high, start = (int(part) for part in call.path[5].split("-"))
        elif call.path[4:] == ["queryAll"]:
            self.only(call, "q")
            low, high = self.parse(call.arg("q", ""))
            start = 0
        else:
            raise self.error(404, "The requested resource does not exist")
        found = sorted((n for n in self.numbers() if low <= self.updated(n) < high), key=self.updated)
        end = start + self.set["page"]
        value = {"totalSize": len(found), "done": end >= len(found), "records": [
            {"attributes": {"type": "Account", "url": "/services/data/v61.0/sobjects/Account/" + self.key(n)},
             "Id": self.key(n), "Name": "Account %d" % n, "IsDeleted": self.gone(n),
             "SystemModstamp": moment(self.updated(n), "%Y-%m-%dT%H:%M:%S.000+0000")} for n in found[start:end]]}
        if not value["done"]:
            # Relative to the host, as the real one; this one's instance is not at the root of it.
            value["nextRecordsUrl"] = "%s/instance/services/data/v61.0/query/%d-%d-%d" % (call.prefix, low, high, end)
        response.set_json(value)

    def parse(self, query):
        found = re.fullmatch(r"SELECT Id, Name, IsDeleted, SystemModstamp FROM Account WHERE SystemModstamp >= (\S+) "
                             r"AND SystemModstamp < (\S+) ORDER BY SystemModstamp", query)
        if not found:
            raise self.error(400, "unexpected token: " + query)
        return int(read_moment(found.group(1))), int(read_moment(found.group(2)))

    def key(self, n):
        return "001%015d" % n


class Pipedrive(Imitation):
    """Recents: the token is in the query, the list may be null, items are wrapped."""

    name = "pipedrive"

    def error(self, status, message):
        return Refusal(status, {"success": False, "error": message})

    def respond(self, call, response):
        if call.arg("api_token") != "pipedrive-token":
            raise self.error(401, "unauthorized access")
        if call.path != ["v1", "recents"]:
            raise self.error(404, "Unknown method .")
        self.only(call, "api_token", "items", "limit", "start", "since_timestamp")
        if call.arg("items") != "deal":
            raise self.error(400, "items")
        since = read_local(call.arg("since_timestamp", ""), "%Y-%m-%d %H:%M:%S")
        start, limit = int(call.arg("start", "0")), self.whole(call.arg("limit", "50"), 1, 500)
        found = sorted((n for n in self.numbers() if self.updated(n) >= since), key=self.updated)
        page = [{"item": "deal", "id": n, "data": {
            "id": n, "title": "Deal %d" % n, "value": n * 10, "status": "won" if self.changed(n) else "open",
            "update_time": moment(self.updated(n), "%Y-%m-%d %H:%M:%S")}} for n in found[start:start + limit]]
        pagination = {"start": start, "limit": limit, "more_items_in_collection": start + limit < len(found)}
        if pagination["more_items_in_collection"]:
            pagination["next_start"] = start + limit
        response.set_json({"success": True, "data": page or None,
                           "additional_data": {"since_timestamp": call.arg("since_timestamp"), "pagination": pagination}})


class Mailchimp(Imitation):
    """Members of a list: offset and count, bounds that are exclusive, empty strings for what is missing."""

    name = "mailchimp"

    def error(self, status, message):
        return Refusal(status, {"type": "about:blank", "title": message, "status": status, "detail": message},
                       {"Content-Type": "application/problem+json"})

    def respond(self, call, response):
        credentials = call.basic()
        if credentials is None or credentials[1] != "mailchimp-key":
            raise self.error(401, "API Key Invalid")
        if call.path != ["3.0", "lists", "a1b2c3", "members"]:
            raise self.error(404, "Resource Not Found")
        self.only(call, "offset", "count", "since_last_changed", "before_last_changed", "exclude_fields")
        start, count = int(call.arg("offset", "0")), self.whole(call.arg("count", "10"), 1, 1000)
        low = read_moment(call.arg("since_last_changed", "1970-01-01T00:00:00Z"))
        high = read_moment(call.arg("before_last_changed", "2999-01-01T00:00:00Z"))
        found = [n for n in self.numbers() if low < self.updated(n) < high]
        response.set_json({"list_id": "a1b2c3", "total_items": len(found), "_links": [{"rel": "self", "href": "x"}], "members": [
            {"id": self.key(n), "email_address": "user%d@example.com" % n, "merge_fields": {
                "FNAME": "Ada", "PHONE": "" if n % 2 else "+371 2000"},
             "status": "unsubscribed" if self.changed(n) else "subscribed",
             "last_changed": moment(self.updated(n), "%Y-%m-%dT%H:%M:%S+00:00")} for n in found[start:start + count]]})

    def key(self, n):
        return "%032x" % n


IMITATIONS = (HubSpot, Salesforce, Pipedrive, Mailchimp)
