"""Tests of the ledgers."""

import unittest

from ledger import Ledger


def ids(ledger, **query):
    """The ids of a page, as a server would answer it."""
    ledger.requests += 1
    for change in ledger.event("before", ledger.requests) or []:
        ledger.change(change)
    return [row["id"] for row in ledger.page(query, "/ledger/l")[0]["data"]]


class LedgerTest(unittest.TestCase):
    def test_positions(self):
        ledger = Ledger({"rows": [[key, key] for key in range(1, 8)]})
        self.assertEqual(ids(ledger, offset="2", limit="2"), [3, 4])
        self.assertEqual(ids(ledger, page="2", per_page="3"), [4, 5, 6])
        self.assertEqual(ids(ledger, after="5", limit="3"), [6, 7])
        value, link = ledger.page({"limit": "3"}, "/ledger/l")
        self.assertEqual(ids(ledger, cursor=value["next"], limit="3"), [4, 5, 6])
        self.assertIn(value["next"][:8], link)

    def test_sorts(self):
        ledger = Ledger({"rows": [[1, 5], [2, 4], [3, 5]], "sort": "-at"})
        self.assertEqual(ids(ledger), [3, 1, 2])
        value, _ = ledger.page({"limit": "1"}, "/ledger/l")
        self.assertEqual(ids(ledger, cursor=value["next"], limit="9"), [1, 2])

    def test_changes(self):
        ledger = Ledger({"rows": [[1, 1], [2, 2], [3, 3]],
                         "before": {"2": [{"delete": [1], "put": [[4, 4], {"id": 2, "note": "x"}]}]}})
        self.assertEqual(ids(ledger), [1, 2, 3])
        self.assertEqual(ids(ledger), [2, 3, 4])
        self.assertEqual(ledger.rows[2], {"id": 2, "at": 2, "note": "x"})

    def test_ties(self):
        rows = [[1, 1], [2, 1], [3, 1], [4, 2]]
        expected = {"after": [4], "from": [1, 2, 3, 4], "pair": [3, 4]}
        for ties, found in expected.items():
            after = "1|2" if ties == "pair" else "1"
            self.assertEqual(ids(Ledger({"rows": rows, "sort": "at", "ties": ties}), after=after, limit="9"), found, ties)

    def test_filters(self):
        rows = [[1, 1], [2, 2], [3, 3]]
        self.assertEqual(ids(Ledger({"rows": rows}), since="2"), [2, 3])
        self.assertEqual(ids(Ledger({"rows": rows, "since": "after"}), since="2", until="4"), [3])


if __name__ == "__main__":
    unittest.main()
