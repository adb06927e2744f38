"""Tests of the lists in pages."""

import json
import unittest

from lists import Lists, Refused, Request


def ask(lists, path, method="GET", headers=None, body=""):
    """A page: its ids, its body, its headers, where it breaks off."""
    answer, sent, tear = lists.answer(Request(method, path, headers or {}, body), "http://a", "http://b")
    return [item["id"] for item in answer["data"]], answer, sent, tear


class ListsTest(unittest.TestCase):
    def setUp(self):
        self.lists = Lists()

    def test_positions(self):
        for style, position in (("offset", "offset=2"), ("page", "page=2"), ("keyset", "after=2"), ("cursor", "cursor=c?2%26")):
            ids, body, _, _ = ask(self.lists, "/list/style=%s/n=5?limit=2&%s" % (style, position))
            self.assertEqual((ids, body["has_more"]), ([3, 4], True), style)

    def test_places(self):
        ids, _, _, _ = ask(self.lists, "/list/style=offset/n=5/place=header", headers={"Offset": "3", "Limit": "9"})
        self.assertEqual(ids, [4, 5])
        ids, _, _, _ = ask(self.lists, "/list/style=offset/n=5/place=body", "POST", body='{"paging": {"offset": 4, "limit": 3}}')
        self.assertEqual(ids, [5])
        with self.assertRaises(Refused):
            ask(self.lists, "/list/style=offset/n=5/place=body?offset=1", "POST", body='{"paging": {"offset": 4}}')
        ids, _, _, _ = ask(self.lists, "/list/style=query/n=5?query=select%20*%20startposition%202%20maxresults%202")
        self.assertEqual(ids, [2, 3])

    def test_next(self):
        for to, expected in (("query", "?offset=2&limit=2"), ("other", "http://b/list/style=next/n=5/limit=2/to=other?offset=2&limit=2")):
            _, body, headers, _ = ask(self.lists, "/list/style=next/n=5/limit=2/to=" + to)
            self.assertEqual(body["next"], expected)
            self.assertIn('<%s>; title="a, b"; rel="next last"' % expected, headers["Link"])

    def test_refusals(self):
        path = "/list/style=offset/n=5/fail=500@2/behind=404"
        with self.assertRaises(Refused):
            ask(self.lists, path + "?offset=2")
        self.assertEqual(ask(self.lists, path + "?offset=2")[0], [3, 4, 5])
        with self.assertRaises(Refused) as refused:
            ask(self.lists, path + "?offset=5")
        self.assertEqual(refused.exception.status, 404)

    def test_changes(self):
        path = "/list/style=offset/n=5/grow=2/until=8?offset=4"
        self.assertEqual([len(ask(self.lists, path)[0]) for _ in range(3)], [1, 3, 4])
        self.assertEqual(ask(self.lists, "/list/style=offset/n=5/tear=1@0")[3], 1)
        self.assertIsNone(ask(self.lists, "/list/style=offset/n=5/tear=1@0")[3])

    def test_json(self):
        json.dumps(ask(self.lists, "/list/style=cursor/n=5")[1])


if __name__ == "__main__":
    unittest.main()
