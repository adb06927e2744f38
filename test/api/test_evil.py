"""Tests of the evil server: that it is as evil as it should be."""

import gzip
import json
import socket
import unittest
import urllib.request
import zlib

import evil


class Evil(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ports = evil.start()

    def ask(self, target, address="127.0.0.1", port=None):
        """What is sent until the connection ends, or the first 100 kB."""
        with socket.create_connection((address, port or self.ports[0]), timeout=10) as connection:
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target.encode())
            connection.shutdown(socket.SHUT_WR)
            got = b""
            while len(got) < 100000:
                data = connection.recv(65536)
                if not data:
                    break
                got += data
            return got

    def log(self):
        """What it has been asked since the last time."""
        request = urllib.request.Request("http://127.0.0.1:%d/_log" % self.ports[0], method="DELETE")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def test_log(self):
        self.log()
        self.ask("/items")
        self.ask("/items", "127.0.0.2")
        self.ask("http://proxied.example/items", port=self.ports[1])
        self.assertEqual([(entry["address"], entry["port"], entry["target"]) for entry in self.log()],
                         [("127.0.0.1", self.ports[0], "/items"), ("127.0.0.2", self.ports[0], "/items"),
                          ("127.0.0.1", self.ports[1], "http://proxied.example/items")])

    def test_cases(self):
        self.assertIn(b"\r\nLocation: file:///etc/passwd\r\n", self.ask("/redirect?to=file:///etc/passwd"))
        self.assertEqual(len(self.ask("/header_flood").split(b"\r\n\r\n")), 1)
        self.assertIn(b"Content-Length: %d\r\n" % (len(evil.ITEMS) + 10), self.ask("/too_long"))
        self.assertTrue(self.ask("/no_last_chunk").endswith(b"]\r\n"))
        self.assertTrue(self.ask("/trailing").endswith(evil.POISON))
        self.assertIn(b"404", self.ask("/no-such-case"))

    def test_bomb(self):
        self.assertEqual(json.loads(gzip.decompress(evil.bomb(2 ** 22))), json.loads(evil.ITEMS))
        self.assertLess(len(evil.bomb(2 ** 22, 2)), 1000)

    def test_codings(self):
        self.assertEqual(gzip.decompress(evil.encode("members", evil.ITEMS)), evil.ITEMS)
        self.assertEqual(zlib.decompress(evil.encode("raw", evil.ITEMS), -15), evil.ITEMS)
        whole = self.ask("/coded?codings=gzip").split(b"\r\n\r\n", 1)[1]
        self.assertEqual(len(json.loads(gzip.decompress(whole))), 2)
        self.assertEqual(self.ask("/coded?codings=gzip&cut=8").split(b"\r\n\r\n", 1)[1], whole[:-8])
        self.assertLess(len(evil.encode("br", b" " * 10000)), 100)


if __name__ == "__main__":
    unittest.main()
