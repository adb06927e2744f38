"""Tests of the imitations of real APIs: each is walked as its documentation says, and refuses what the real one refuses."""

import base64
import json
import re
import time
import urllib.parse

from test_sample_api import ApiTest


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode((user + ":" + password).encode()).decode()}


def bearer(token):
    return {"Authorization": "Bearer " + token}


class Imitations(ApiTest):
    def call(self, path, headers=None, body=None, form=None, **query):
        """(status, headers, JSON or bytes) of an address below /apis/."""
        if not path.startswith("http"):
            path = self.base + "/apis/" + path
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        headers = dict({"User-Agent": "test"}, **(headers or {}))
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        if form is not None:
            headers["Content-Type"], data = "application/x-www-form-urlencoded", urllib.parse.urlencode(form).encode()
        status, answered, content = self.fetch(path[len(self.base):], headers, data)
        if answered.get("Content-Type", "").startswith("application/json"):
            content = json.loads(content)
        return status, answered, content

    def ok(self, path, headers=None, **options):
        status, answered, value = self.call(path, headers, **options)
        self.assertEqual(status, 200, value)
        return answered, value

    def status(self, path, headers=None, **options):
        return self.call(path, headers, **options)[0]

    def truth(self, name, **change):
        return self.post("/_apis/" + name, change)

    def linked(self, path, headers, items=lambda value: value, **query):
        """All items of a listing by Link headers."""
        found = []
        while path:
            answered, value = self.ok(path, headers, **query)
            found += items(value)
            link = re.search(r'<([^>]*)>; rel="next"', answered.get("Link", ""))
            path, query = link and link.group(1), {}
        return found

    def test_github(self):
        issues, query = "github/repos/o/r/issues", {"state": "all", "sort": "updated", "direction": "asc", "per_page": 100}
        token = bearer("github-token")
        rows = self.linked(issues, token, **query)
        self.assertEqual([str(row["id"]) for row in rows], self.truth("github")["keys"])
        changed = self.truth("github", advance=True)["changed"]
        later = self.linked(issues, token, since=rows[-1]["updated_at"], **query)
        self.assertEqual(sorted(str(row["id"]) for row in later[1:]), sorted(changed))
        self.assertEqual(self.status(issues, dict(token, **{"User-Agent": ""}), **query), 403)
        self.assertEqual(self.status(issues, bearer("x"), **query), 401)
        self.assertEqual(self.status(issues, token), 422)
        self.assertEqual(self.status("github/repos/o/r/stats/contributors", token), 202)
        self.assertEqual(self.status("github/repos/o/r/stats/contributors", token), 200)
        self.truth("github", remaining=0)
        status, answered, _ = self.call(issues, token, **query)
        self.assertEqual((status, answered["x-ratelimit-remaining"]), (403, "0"))
        self.assertGreaterEqual(int(answered["x-ratelimit-reset"]), int(time.time()) + 1)

    def test_stripe(self):
        for name, extra in (("stripe", {}), ("stripe_ev", {"types[]": ["customer.created", "customer.updated", "customer.deleted"]})):
            path, found, query = name + "/v1/" + {"stripe": "charges"}.get(name, "events"), [], dict(limit=100, **extra)
            while True:
                _, value = self.ok(path, basic("stripe-key", ""), **query)
                found += [row["id"] for row in value["data"]]
                if not value["has_more"]:
                    break
                query["starting_after"] = found[-1]
            self.assertEqual(found[::-1], self.truth(name)["keys"])
            self.assertEqual(self.status(path, basic("x", ""), **query), 401)
            self.assertEqual(self.status(path, bearer("stripe-key"), **dict(query, starting_after="x")), 400)
            self.assertEqual(self.status(path, bearer("stripe-key"), **dict(query, limit=101)), 400)
        self.assertEqual(self.status("stripe_ev/v1/events", bearer("stripe-key")), 400)

    def test_shopify(self):
        orders, token = "shopify/admin/api/2025-01/orders.json", {"X-Shopify-Access-Token": "shopify-token"}
        query = {"limit": 100, "order": "updated_at asc", "status": "any"}
        rows = self.linked(orders, token, lambda value: value["orders"], **query)
        self.assertEqual([str(row["id"]) for row in rows], self.truth("shopify")["keys"])
        self.assertEqual(self.status(orders, token, page_info="0~100", **query), 400)
        self.assertEqual(self.status(orders, bearer("shopify-token"), **query), 401)
        self.assertRegex(self.ok(orders, token, **query)[0]["X-Shopify-Shop-Api-Call-Limit"], r"^\d+/40$")

    def token_of(self, path, form, headers=None):
        return self.ok(path, headers, form=form)[1]

    def test_hubspot(self):
        form = {"grant_type": "refresh_token", "client_id": "hubspot-client", "client_secret": "hubspot-secret",
                "refresh_token": "hubspot-refresh"}
        self.assertEqual(self.status("hubspot/oauth/v1/token", form=dict(form, client_secret="x")), 401)
        self.assertEqual(self.status("hubspot/oauth/v1/token", form=dict(form, refresh_token="x")), 400)
        token = bearer(self.token_of("hubspot/oauth/v1/token", form)["access_token"])
        self.truth("hubspot", cap=100)
        found, after, contacts = [], 0, "hubspot/crm/v3/objects/contacts/search"
        body = {"limit": 50, "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]}

        def search(**more):
            filters = [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "0"},
                       {"propertyName": "hs_object_id", "operator": "GT", "value": str(after)}]
            return self.call(contacts, token, body=dict(body, filterGroups=[{"filters": filters}], **more))
        while True:
            status, _, value = search()
            if not value["results"]:
                break
            found += [row["id"] for row in value["results"]]
            _, _, value = search(after=50)
            found += [row["id"] for row in value["results"]]
            after = found[-1]
        self.assertEqual(found, self.truth("hubspot")["keys"])
        after = 0
        self.assertEqual(search(after=100)[0], 400)
        self.truth("hubspot", expire=True)
        self.assertEqual(search()[0], 401)

    def test_salesforce(self):
        form = {"grant_type": "client_credentials", "client_id": "salesforce-client", "client_secret": "salesforce-secret"}
        answer = self.token_of("salesforce/services/oauth2/token", form)
        token, found = bearer(answer["access_token"]), []
        url = answer["instance_url"] + "/services/data/v61.0/queryAll"
        query = {"q": "SELECT Id, Name, IsDeleted, SystemModstamp FROM Account WHERE SystemModstamp >= 1970-01-01T00:00:00Z "
                      "AND SystemModstamp < 2025-01-01T00:00:00Z ORDER BY SystemModstamp"}
        self.assertEqual(self.status(url, token, q="SELECT 1"), 400)
        self.assertEqual(self.status(url, bearer("x"), **query), 401)
        while url:
            _, value = self.ok(url, token, **query)
            found += [row["Id"] for row in value["records"]]
            url, query = None if value["done"] else self.base + value["nextRecordsUrl"], {}
        self.assertEqual(found, self.truth("salesforce")["keys"])

    def test_slack(self):
        token, channels, cursor = bearer("slack-token"), [], ""
        while True:
            _, value = self.ok("slack/api/conversations.list", token, cursor=cursor)
            channels += [row["id"] for row in value["channels"]]
            cursor = value["response_metadata"]["next_cursor"]
            if not cursor:
                break
        history, found = "slack/api/conversations.history", []
        self.assertEqual(self.ok(history, token, channel="C02", inclusive="true")[1], {"ok": False, "error": "ratelimited"})
        self.assertEqual(self.ok(history, token, channel="C04", inclusive="true")[1]["error"], "not_in_channel")
        self.assertEqual(self.ok(history, bearer("x"), channel="C01", inclusive="true")[1]["error"], "not_authed")
        for channel in channels[:3]:
            cursor = ""
            while True:
                _, value = self.ok(history, token, channel=channel, inclusive="true", cursor=cursor, oldest="1714521600.5")
                found += [channel + "/" + row["ts"] for row in value["messages"]]
                cursor = value["response_metadata"]["next_cursor"]
                if not cursor:
                    break
        self.assertEqual(sorted(found), sorted(self.truth("slack")["keys"]))

    def test_notion(self):
        headers = dict(bearer("notion-token"), **{"Notion-Version": "2022-06-28"})
        found, body = [], {"page_size": 50}
        self.assertEqual(self.status("notion/v1/search", headers, body={"page_size": 100}), 504)
        self.assertEqual(self.status("notion/v1/search", bearer("notion-token"), body=body), 400)
        self.assertEqual(self.status("notion/v1/search", headers, body={"page_size": 50, "start_cursor": "x"}), 400)
        while True:
            _, value = self.ok("notion/v1/search", headers, body=body)
            found += [row["id"] for row in value["results"]]
            if not value["has_more"]:
                break
            body["start_cursor"] = value["next_cursor"]
        self.assertEqual(found, self.truth("notion")["keys"])

    def test_zendesk(self):
        headers, found = basic("ada@example.com/token", "zendesk-token"), []
        url, query = "zendesk/api/v2/incremental/tickets/cursor.json", {"start_time": 0}
        self.assertEqual(self.status(url, headers, start_time=int(time.time())), 400)
        self.assertEqual(self.status(url, basic("ada@example.com", "zendesk-token"), **query), 401)
        while True:
            _, value = self.ok(url, headers, **query)
            found += [str(row["id"]) for row in value["tickets"]]
            if value["end_of_stream"]:
                break
            url, query = value["after_url"], {}
        self.assertTrue(value["after_url"])
        self.assertGreater(len(found), 250)
        self.assertEqual(set(found), set(self.truth("zendesk")["keys"]))

    def test_jira(self):
        headers, found = basic("ada@example.com", "jira-token"), []
        query = {"jql": "updated >= '2024-05-01 03:10' ORDER BY updated ASC", "maxResults": 100}
        self.assertEqual(self.status("jira/rest/api/3/search/jql", headers, jql="updated >= '2024-05-01T03:10:00Z'"), 400)
        self.assertEqual(self.status("jira/rest/api/3/search/jql", headers, nextPageToken="x", **query), 400)
        while True:
            _, value = self.ok("jira/rest/api/3/search/jql", headers, **query)
            found += [row["key"] for row in value["issues"]]
            if value["isLast"]:
                break
            query["nextPageToken"] = value["nextPageToken"]
        # 03:10 in Riga is 00:10 UTC.
        self.assertEqual(found, self.truth("jira")["keys"][9:])

    def test_intercom(self):
        headers, found, search = dict(bearer("intercom-token"), **{"Intercom-Version": "2.11"}), [], "intercom/contacts/search"
        body = {"query": {"field": "updated_at", "operator": ">", "value": 1714521600}, "pagination": {"per_page": 100}}
        self.assertEqual(self.status(search, headers, body=dict(body, query=dict(body["query"], value="1"))), 400)
        broken = 0
        while True:
            status, _, value = self.call(search, headers, body=body)
            if status == 500:
                broken, found = broken + 1, []
                body["pagination"].pop("starting_after")
                continue
            found += [row["id"] for row in value["data"]]
            if "next" not in value["pages"]:
                break
            body["pagination"]["starting_after"] = value["pages"]["next"]["starting_after"]
        self.assertEqual(broken, 1)
        # Records 1 to 3 are of the day that is asked from, which "greater" leaves out.
        self.assertEqual(found, self.truth("intercom")["keys"][3:])
        self.truth("intercom", missing=True)
        status, answered, page = self.call(search, headers, body=body)
        self.assertEqual((status, answered["Content-Type"], b"nginx" in page), (404, "text/html", True))

    def test_airtable(self):
        headers, found, path = bearer("airtable-token"), [], "airtable/v0/appExample/Contacts"
        query = {"filterByFormula": "NOT(IS_BEFORE({Modified}, '2024-05-01T00:00:00Z'))", "pageSize": 100}
        self.truth("airtable", limit_at=2, wait=0.2)
        while True:
            status, answered, value = self.call(path, headers, **query)
            if status == 429:
                self.assertNotIn("Retry-After", answered)
                time.sleep(0.25)
                continue
            found += [row["id"] for row in value["records"]]
            if "offset" not in value:
                break
            query["offset"] = value["offset"]
        self.assertEqual(found, self.truth("airtable")["keys"])
        self.assertEqual(self.status(path, headers, **dict(query, offset="itr1/rec1")), 422)
        self.assertEqual(self.status(path, headers, pageSize=100), 422)

    def google(self, name):
        return bearer(self.token_of(name + "/token", {
            "grant_type": "refresh_token", "client_id": "google-client", "client_secret": "google-secret",
            "refresh_token": "google-refresh"})["access_token"])

    def test_calendar(self):
        token, path, tokens, found = self.google("gcal"), "gcal/calendar/v3/", {}, []
        _, first = self.ok(path + "users/me/calendarList", token)
        self.assertEqual(len(first["items"]), 1)

        def events(calendar, **query):
            while True:
                status, _, value = self.call(path + "calendars/%s/events" % urllib.parse.quote(calendar), token, **query)
                if status != 200:
                    return status
                found.extend(row["id"] for row in value["items"])
                if "nextSyncToken" in value:
                    tokens[calendar] = value["nextSyncToken"]
                    return status
                query["pageToken"] = value["nextPageToken"]
        calendars = ["ada@example.com", "team#holiday@group.v.calendar.google.com", "empty@example.com"]
        for calendar in calendars:
            self.assertEqual(events(calendar, timeMin="2024-01-01T00:00:00Z"), 200)
        self.assertEqual(sorted(found), self.truth("gcal")["keys"])
        found.clear()
        self.assertEqual(events(calendars[0], syncToken=tokens[calendars[0]], timeMin="2024-01-01T00:00:00Z"), 400)
        self.assertEqual(events(calendars[0], syncToken=tokens[calendars[1]]), 400)
        changed = self.truth("gcal", advance=True)["changed"]
        for calendar in calendars:
            self.assertEqual(events(calendar, syncToken=tokens[calendar]), 200)
        self.assertEqual(sorted(found), sorted(changed))
        self.truth("gcal", expired=True)
        self.assertEqual(events(calendars[0], syncToken=tokens[calendars[0]]), 410)
        self.assertEqual(events(calendars[0], syncToken=tokens[calendars[0]]), 200)

    def test_analytics(self):
        token, path = self.google("ga4"), "ga4/v1beta/properties/123456:runReport"
        body = {"dateRanges": [{"startDate": "2024-05-01", "endDate": "2024-05-02"}],
                "dimensions": [{"name": "date"}, {"name": "country"}], "metrics": [{"name": "activeUsers"}], "limit": 30}
        _, value = self.ok(path, token, body=body)
        self.assertEqual((value["rowCount"], len(value["rows"])), (50, 30))
        _, value = self.ok(path, token, body=dict(body, offset=30))
        self.assertEqual(len(value["rows"]), 20)
        self.assertNotIn("rows", self.ok(path, token, body=dict(body, offset=50))[1])
        self.assertEqual(self.status(path, bearer("x"), body=body), 401)

    def test_sheets(self):
        path = "sheets/v4/spreadsheets/sheet-id/values/" + urllib.parse.quote("Stock!A:D")
        self.truth("sheets", advance=True)
        _, value = self.ok(path, key="sheets-key")
        self.assertEqual([len(row) for row in value["values"][:9]], [4, 3, 3, 3, 3, 3, 3, 4, 3])
        self.assertEqual(self.status(path), 403)

    def test_mailchimp(self):
        path, headers = "mailchimp/3.0/lists/a1b2c3/members", basic("any", "mailchimp-key")
        _, value = self.ok(path, headers, count=100, offset=200, since_last_changed="2024-05-01T00:01:00+00:00")
        # The bound is exclusive: the first of them is not listed.
        self.assertEqual((value["total_items"], len(value["members"])), (249, 49))
        self.assertEqual(self.status(path, headers, count=1001), 400)
        self.assertEqual(self.status(path, bearer("mailchimp-key")), 401)

    def test_xero(self):
        form = {"grant_type": "client_credentials", "scope": "accounting.transactions.read"}
        self.assertEqual(self.status("xero/connect/token", form=form), 401)
        answer = self.token_of("xero/connect/token", form, basic("xero-client", "xero-secret"))
        headers = dict(bearer(answer["access_token"]), **{"Xero-Tenant-Id": "00000000-0000-4000-8000-000000000001"})
        self.assertEqual(self.status("xero/api.xro/2.0/Invoices", headers, page=1), 400)
        headers["If-Modified-Since"] = "2024-05-01T00:02:00"
        pages = [len(self.ok("xero/api.xro/2.0/Invoices", headers, page=n, pageSize=100)[1]["Invoices"]) for n in (1, 2, 3, 4)]
        self.assertEqual(pages, [100, 100, 49, 0])
        self.assertEqual(self.status("xero/api.xro/2.0/Invoices", headers), 400)
        self.truth("xero", problem="minute")
        self.assertEqual([self.status("xero/api.xro/2.0/Invoices", headers, page=1) for _ in (1, 2)], [429, 200])
        self.truth("xero", problem="day", advance=True)
        self.assertEqual([self.status("xero/api.xro/2.0/Invoices", headers, page=1) for _ in (1, 2)], [429, 429])

    def test_quickbooks(self):
        path, client = "quickbooks/oauth2/v1/tokens/bearer", basic("quickbooks-client", "quickbooks-secret")
        form = {"grant_type": "refresh_token", "refresh_token": "quickbooks-refresh"}
        answer = self.token_of(path, form, client)
        # It rotates: the old one is of no use any more.
        self.assertEqual(self.status(path, client, form=form), 400)
        answer = self.token_of(path, dict(form, refresh_token=answer["refresh_token"]), client)
        headers, found, start = dict(bearer(answer["access_token"]), Accept="application/json"), [], 1
        while True:
            query = ("SELECT * FROM Invoice WHERE Metadata.LastUpdatedTime >= '2024-05-01T00:00:00Z' AND Metadata.LastUpdatedTime "
                     "< '2025-01-01T00:00:00Z' ORDERBY Metadata.LastUpdatedTime STARTPOSITION %d MAXRESULTS 100" % start)
            _, value = self.ok("quickbooks/v3/company/123146/query", headers, query=query)
            rows = value["QueryResponse"].get("Invoice", [])
            found += [row["Id"] for row in rows]
            if not rows:
                break
            start += 100
        self.assertEqual(value["QueryResponse"], {})
        self.assertEqual(found, self.truth("quickbooks")["keys"])
        self.assertEqual(self.status("quickbooks/v3/company/123146/query", headers, query="SELECT 1"), 400)

    def test_pipedrive(self):
        path, query = "pipedrive/v1/recents", {"api_token": "pipedrive-token", "items": "deal", "since_timestamp": "2024-05-01 00:02:00"}
        _, value = self.ok(path, start=200, **query)
        self.assertEqual(len(value["data"]), 49)
        self.assertNotIn("next_start", value["additional_data"]["pagination"])
        self.assertIsNone(self.ok(path, **dict(query, since_timestamp="2025-01-01 00:00:00"))[1]["data"])
        self.assertEqual(self.status(path, **dict(query, api_token="x")), 401)
        self.assertEqual(self.status(path, **dict(query, since_timestamp="2024-05-01T00:00:00Z")), 400)

    def test_twilio(self):
        headers, accounts, found = basic("AC01", "twilio-token"), [], []
        path = "twilio/2010-04-01/Accounts"

        def walk(uri, name, found, **query):
            while uri:
                _, value = self.ok(uri, headers, **query)
                found += [row["sid"] for row in value[name]]
                uri, query = value["next_page_uri"] and self.base + value["next_page_uri"], {}
        walk(path + ".json", "accounts", accounts)
        self.assertEqual(accounts, ["AC01", "AC02", "AC03"])
        query = {"EndTime>": "2024-05-01"}
        for account in accounts[:2]:
            walk(path + "/%s/Calls.json" % account, "calls", found, **query)
        self.assertEqual(sorted(found), self.truth("twilio")["keys"])
        self.assertEqual(self.status(path + "/AC03/Calls.json", headers, **query), 404)
        self.assertEqual(self.status(path + "/AC01/Calls.json", headers, EndTime="2024-05-01"), 400)

    def test_openfda(self):
        path, query = "openfda/drug/event.json", {"limit": 100, "sort": "receivedate:asc", "search": "receivedate:[20240501 TO 20991231]"}
        status, answered, value = self.call(path, api_key="openfda-key", **query)
        found = [row["safetyreportid"] for row in value["results"]]
        while "Link" in answered:
            link = re.search(r'<([^>]*)>; rel="next"', answered["Link"]).group(1)
            # The key is no part of the link.
            self.assertEqual(self.status(link), 403)
            _, answered, value = self.call(link + "&api_key=openfda-key")
            found += [row["safetyreportid"] for row in value["results"]]
        self.assertEqual(found, self.truth("openfda")["keys"])
        self.assertEqual(self.status(path, api_key="openfda-key", **dict(query, search="receivedate:[20990101 TO 20991231]")), 404)

    def test_worldbank(self):
        path, query = "worldbank/v2/country/all/indicator/SP.POP.TOTL", {"format": "json", "date": "1960:2100"}
        _, value = self.ok(path, per_page=400, page=2, **query)
        self.assertEqual((value[0]["pages"], len(value[1])), (2, 230))
        self.assertIsNone(self.ok(path, **dict(query, date="2050:2100"))[1][1])
        self.assertEqual(len(self.ok("worldbank/v2/country/all/indicator/X", **query)[1]), 1)
