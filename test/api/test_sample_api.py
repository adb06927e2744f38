"""Tests of the sample API itself: python3 -m unittest discover -s test/api."""

import base64
import gzip
import http.client
import json
import socket
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

import sample_api


class ApiTest(unittest.TestCase):
    """A sample API, and ways to ask it."""

    @classmethod
    def setUpClass(cls):
        cls.servers = sample_api.start()
        cls.port = cls.servers[0].server_port
        cls.base = "http://127.0.0.1:%d" % cls.port

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            server.shutdown()
            server.server_close()

    def setUp(self):
        self.post("/_control", {"reset": True})

    def fetch(self, path, headers=None, data=None):
        """The answer to a request: (status, headers, body as bytes)."""
        request = urllib.request.Request(self.base + path, headers=headers or {}, data=data)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def get(self, path, headers=None):
        return json.loads(self.fetch(path, headers)[2])

    def post(self, path, value):
        return json.loads(self.fetch(path, data=json.dumps(value).encode())[2])

    def ids(self, records):
        return [record["id"] for record in records]


class SampleApi(ApiTest):
    def test_collections(self):
        for name, size in (("users", 100), ("customers", 50), ("orders", 1000), ("products", 200), ("posts", 100),
                           ("data", 1000), ("batch_data", 1000)):
            self.assertEqual(self.ids(self.get("/" + name)), list(range(1, size + 1)), name)
        self.assertEqual(len(self.get("/users?size=7")), 7)
        self.assertEqual(self.get("/users/7")["id"], 7)
        self.assertEqual(self.fetch("/nothing")[0], 404)
        self.assertEqual(self.fetch("/users/101")[0], 404)
        self.assertEqual(set(self.get("/posts/1")), {"userId", "id", "title", "body"})
        self.assertEqual(set(self.get("/products/1")["pricing"]), {"amount", "currency"})

    def test_deterministic(self):
        self.assertEqual(self.fetch("/products")[2], self.fetch("/products")[2])
        other = sample_api.State(2)
        self.assertNotEqual(self.get("/users"), other.data.collection("users"))

    def test_orders_of_customer(self):
        of_three = self.get("/orders?customer_id=3")
        self.assertEqual(len(of_three), 20)
        self.assertEqual({order["customer_id"] for order in of_three}, {3})
        self.assertEqual(self.get("/customers/3/orders"), of_three)
        self.assertEqual(len(self.get("/orders?customer_id=3&customer_id=4")), 40)

    def test_updated_since(self):
        orders = self.get("/orders")
        since = orders[900]["updated_at"]
        self.assertEqual(self.ids(self.get("/orders?updated_since=" + since)), list(range(901, 1001)))
        self.assertEqual(self.ids(self.get("/orders?updated_before=" + since)), list(range(1, 901)))
        self.post("/_control", {"version": 1})
        self.assertEqual(len(self.get("/orders?updated_since=" + since)), 100 + 90)

    def test_paging(self):
        everything = list(range(1, 101))
        for style in ("offset", "page"):
            pages = [self.get("/paging/%s/users?limit=30&offset=%d&page=%d" % (style, 30 * n, n + 1)) for n in range(4)]
            self.assertEqual([self.ids(page) for page in pages], [everything[n:n + 30] for n in (0, 30, 60, 90)])
        self.assertEqual(self.ids(self.get("/users?page=2&per_page=30")), everything[30:60])
        self.assertEqual(self.ids(self.get("/users?limit=5")), everything[:5])
        self.assertEqual(self.ids(self.get("/paging/keyset/users?limit=5&after=20")["data"]), everything[20:25])

        found, cursor = [], ""
        while cursor is not None:
            page = self.get("/paging/cursor/users?limit=30&cursor=" + urllib.parse.quote(cursor, safe=""))
            found += self.ids(page["data"])
            self.assertEqual(page["has_more"], page["next_cursor"] is not None)
            cursor = page["next_cursor"]
        self.assertEqual(found, everything)

        for style in ("next_url", "next_path"):
            found, url = [], "/users?paging=%s&limit=30" % style
            while url:
                page = self.get(url.replace(self.base, ""))
                found += self.ids(page["data"])
                url = page["next"]
            self.assertEqual(found, everything)

        found, url = [], "/paging/link/users?limit=30"
        while url:
            _, headers, body = self.fetch(url)
            found += self.ids(json.loads(body))
            links = [part for part in headers.get("Link", "").split(",") if 'rel="next"' in part]
            url = links[0].split("<")[1].split(">")[0].replace(self.base, "") if links else None
        self.assertEqual(found, everything)

    def test_cursor_in_body(self):
        first = self.post("/paging/cursor/users", {"limit": 10})
        second = self.post("/paging/cursor/users", {"limit": 10, "cursor": first["next_cursor"]})
        self.assertEqual(self.ids(second["data"]), list(range(11, 21)))

    def test_envelopes(self):
        self.assertEqual(len(self.get("/envelope/data/users")["data"]), 100)
        self.assertEqual(self.get("/envelope/results/users?limit=10")["total"], 100)
        self.assertEqual(len(self.get("/envelope/nested/users")["data"]["items"]), 100)
        self.assertIsNone(self.get("/envelope/null/users")["data"])
        lines = self.fetch("/format/ndjson/users")[2].splitlines()
        self.assertEqual([json.loads(line)["id"] for line in lines], list(range(1, 101)))

    def test_auth(self):
        basic = "Basic " + base64.b64encode(b"user:secret").decode()
        for style, headers in (("bearer", {"Authorization": "Bearer test-token"}), ("basic", {"Authorization": basic}),
                               ("key", {"X-Api-Key": "test-key"}), ("key", {"Cookie": "a=b; api_key=test-key"})):
            self.assertEqual(self.fetch("/auth/%s/users" % style)[0], 401)
            self.assertEqual(self.fetch("/auth/%s/users" % style, headers)[0], 200)
        self.assertEqual(self.fetch("/auth/key/users?api_key=test-key")[0], 200)
        self.assertEqual(self.fetch("/auth/key/users?api_key=wrong")[0], 401)

    def test_fault_counts(self):
        path = "/fault/status:503:times=2:retry_after=1/users?size=1"
        answers = [self.fetch(path) for _ in range(3)]
        self.assertEqual([answer[0] for answer in answers], [503, 503, 200])
        self.assertEqual(answers[0][1]["Retry-After"], "1")
        self.assertIn("GMT", self.fetch("/users?fault=status:429:retry_after=date%2B2")[1]["Retry-After"])
        path = "/fault/status:500:times=1:after=1:scope=path/users?offset="
        self.assertEqual([self.fetch(path + str(n))[0] for n in range(3)], [200, 500, 200])
        path = "/fault/status:404:beyond=2/users?offset="
        self.assertEqual([self.fetch(path + str(n))[0] for n in (3, 1, 2, 0)], [404, 200, 404, 200])

    def test_fault_bodies(self):
        plain = self.fetch("/users?size=5")[2]
        self.assertEqual(gzip.decompress(self.fetch("/fault/gzip/users?size=5")[2]), plain)
        self.assertEqual(self.fetch("/fault/chunked:10/users?size=5")[2], plain)
        self.assertEqual(self.fetch("/fault/drip:200:1,delay:1/users?size=5")[2], plain)
        self.assertEqual(self.fetch("/fault/empty/users")[2], b"")
        self.assertIn(b"<html>", self.fetch("/fault/html/users")[2])
        self.assertEqual(self.fetch("/fault/redirect:same/users?size=5")[2], plain)
        self.assertEqual(self.fetch("/fault/redirect:other/users?size=5")[2], plain)
        self.assertGreater(len(self.get("/fault/huge:100000/users")), 500)
        self.assertGreaterEqual(len(self.get("/fault/giant:100000/users")[0]["name"]), 99000)
        self.assertRaises(ValueError, self.get, "/fault/badjson/users")
        self.assertEqual(self.fetch("/fault/nonsense/users")[0], 400)

    def test_fault_connections(self):
        with self.assertRaises(http.client.IncompleteRead):
            self.fetch("/fault/truncate:100/users")
        with self.assertRaises(ConnectionResetError):
            self.fetch("/fault/reset:100/users")
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(self.base + "/fault/redirect:loop/users", timeout=10)
        with socket.create_connection(("127.0.0.1", self.port), timeout=0.3) as silent:
            silent.sendall(b"GET /fault/silent/users HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertRaises(socket.timeout, silent.recv, 1)

    def test_request_log(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        for path in ("/users?size=1&a=1&a=2", "/posts"):
            connection.request("GET", path, headers={"X-Probe": "here"})
            connection.getresponse().read()
        connection.close()
        log = self.get("/_requests")
        self.assertEqual([entry["path"] for entry in log], ["/users", "/posts"])
        self.assertEqual(log[0]["query"], {"size": "1", "a": ["1", "2"]})
        self.assertEqual(log[0]["headers"]["x-probe"], "here")
        self.assertEqual(log[0]["connection"], log[1]["connection"], "the connection is kept alive")
        self.assertEqual(log[0]["status"], 200)
        self.assertEqual(len(self.get("/_requests?path=/posts")), 1)
        urllib.request.urlopen(urllib.request.Request(self.base + "/_requests", method="DELETE"), timeout=10).close()
        self.assertEqual(self.get("/_requests"), [])

    def test_in_flight(self):
        threads = [threading.Thread(target=self.get, args=("/users/%d?fault=delay:1500" % n,)) for n in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.get("/users/1")
        self.assertEqual([entry["in_flight"] for entry in self.get("/_requests")], [1, 2, 3, 4, 1])

    def test_gates(self):
        answers = []
        threads = [threading.Thread(target=lambda p=path: answers.append(len(self.get(p)))) for path in
                   ("/users?size=1&fault=gate:2:name=a", "/posts?size=2&fault=gate:2:name=a", "/orders?size=3&fault=gate:name=b")]
        for thread in threads:
            thread.start()
        for thread in threads[:2]:
            thread.join()
        self.assertEqual(sorted(answers), [1, 2], "those that wait for each other are answered, the third is not")
        self.post("/_control", {"open": ["b"]})
        threads[2].join()
        self.assertEqual(answers[2], 3)
        self.assertEqual(len(self.get("/users?size=1&fault=gate:2:name=a")), 1, "it stays open")

    def test_control(self):
        before = self.get("/orders")
        self.post("/_control", {"edit": {"orders": {"3": {"status": "edited"}, "1001": {"total": 1}}},
                                "delete": {"orders": [5]}})
        after = self.get("/orders")
        self.assertEqual(after[2]["status"], "edited")
        self.assertEqual(self.ids(after), [n for n in range(1, 1002) if n != 5])
        self.post("/_control", {"version": 2})
        changed = [user["id"] for user in self.get("/users") if "(v2)" in user["name"]]
        self.assertEqual(changed, list(range(10, 101, 10)))
        self.post("/_control", {"reset": True, "size": {"orders": 10}})
        self.assertEqual(self.get("/orders"), before[:10])
        self.assertEqual(self.fetch("/_control", data=b"[")[0], 400)

    def test_reference_items(self):
        page = self.get("/items?count=2500&offset=2000&limit=1000")
        self.assertEqual(self.ids(page), list(range(2001, 2501)))
        self.assertEqual(len(page[0]), 12)
        self.assertEqual(self.get("/items?count=2500&offset=3000"), [])
        warm = self.get("/_warm?count=1000&limit=500")
        self.assertTrue(380 < warm["bytes"] / warm["items"] < 440, warm)


if __name__ == "__main__":
    unittest.main()
