"""The sample API's records: deterministic, of any size, and changeable by tests.

A record is a pure function of (seed, collection, id, version), so two servers
with the same seed serve the same bytes.  What a test changes lies over that:
edits and deletions by id, a size, and a version that moves every tenth record
(its updated_at and one visible field) as a day's work at a real service would.
"""

import datetime
import threading

EPOCH = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)

FIRST = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Alan", "Radia", "Niklaus", "Adele")
LAST = ("Lovelace", "Hopper", "Dijkstra", "Liskov", "Knuth", "Allen", "Turing", "Perlman", "Wirth", "Goldberg")
CITIES = ("Zürich", "São Paulo", "Kraków", "Oslo", "東京", "Lagos", "Quito", "Pune")
STATUSES = ("new", "paid", "packed", "shipped", "delivered", "returned")
CURRENCIES = ("EUR", "USD", "CHF", "JPY")
CATEGORIES = ("Books", "Garden", "Kitchen", "Music", "Office", "Toys")
TAGS = ("new", "sale", "eco", "gift", "bulk", "import", "limited")
WORDS = ("quia et suscipit recusandae consequuntur expedita cum reprehenderit molestiae ut quas totam "
         "nostrum rerum est autem sunt rem eveniet architecto").split()

DEFAULT_SIZES = {"users": 100, "customers": 50, "orders": 1000, "products": 200, "posts": 100, "data": 1000}

# The document's other example addresses serve the same kind of record as /data.
ALIASES = {"batch_data": "data", "updated_data": "data", "large-dataset": "data", "test-data": "data"}


def mix(number, salt):
    """Scrambles a number; a given salt gives an independent-looking sequence."""
    value = (number * 0x9E3779B1 + salt * 0x85EBCA77 + 0x165667B1) & 0xFFFFFFFF
    value ^= value >> 15
    value = (value * 0x2C1B3C6D) & 0xFFFFFFFF
    value ^= value >> 12
    value = (value * 0x297A2D39) & 0xFFFFFFFF
    return value ^ (value >> 15)


def timestamp(seconds):
    """ISO 8601 in UTC, the given number of seconds after the data's epoch."""
    return (EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def words(number, salt, count):
    """A line of count words."""
    return " ".join(WORDS[mix(number, salt + k) % len(WORDS)] for k in range(count))


class Data:
    """All collections, and what tests changed in them."""

    def __init__(self, seed=1):
        self.seed = seed
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        """Forgets every change: the data is as it was when the server started."""
        self.version = 0
        self.sizes = dict(DEFAULT_SIZES)
        self.edits = {}
        self.deleted = {}
        self.cache = {}

    def change(self, request):
        """Applies a control request's "version", "size", "edit" and "delete"."""
        with self.lock:
            self.version = int(request.get("version", self.version))
            self.sizes.update({kind: int(size) for kind, size in request.get("size", {}).items()})
            for kind, records in request.get("edit", {}).items():
                for key, fields in records.items():
                    self.edits.setdefault(kind, {}).setdefault(int(key), {}).update(fields)
                    self.deleted.get(kind, set()).discard(int(key))
            for kind, keys in request.get("delete", {}).items():
                self.deleted.setdefault(kind, set()).update(int(key) for key in keys)
            self.cache.clear()

    def state(self):
        """What a control request answers."""
        return {"seed": self.seed, "version": self.version, "size": self.sizes,
                "edited": {kind: sorted(records) for kind, records in self.edits.items()},
                "deleted": {kind: sorted(keys) for kind, keys in self.deleted.items()}}

    def collection(self, name, size=None):
        """The records of a collection in id order, or None where there is no such collection."""
        kind = ALIASES.get(name, name)
        make = getattr(self, "make_" + kind, None)
        if make is None:
            return None
        with self.lock:
            count = self.sizes[kind] if size is None else size
            records = self.cache.get((kind, count))
            if records is None:
                records = self.cache[(kind, count)] = self.build(kind, make, count)
        return records

    def build(self, kind, make, count):
        """Makes a collection's records and lays the tests' changes over them."""
        edits = self.edits.get(kind, {})
        deleted = self.deleted.get(kind, set())
        keys = list(range(1, count + 1)) + sorted(key for key in edits if key > count)
        records = []
        for key in keys:
            if key not in deleted:
                record = make(key)
                record.update(edits.get(key, {}))
                records.append(record)
        return records

    def pick(self, choices, key, salt):
        return choices[mix(key, self.seed * 1000 + salt) % len(choices)]

    def number(self, key, salt, limit):
        return mix(key, self.seed * 1000 + salt) % limit

    def moved(self, key):
        """The version a record is at: every tenth one follows the data's version, the others stay."""
        return self.version if key % 10 == 0 else 0

    def times(self, key):
        """A record's created_at and updated_at; updated_at rises with the id and the record's version."""
        created = key * 3600
        return timestamp(created), timestamp(created + 1800 + self.moved(key) * 86400 * 365)

    def person(self, key):
        name = "%s %s" % (self.pick(FIRST, key, 1), self.pick(LAST, key, 2))
        email = "%s.%d@example.com" % (name.lower().replace(" ", "."), key)
        if self.moved(key):
            name = "%s (v%d)" % (name, self.version)
        return name, email

    def make_users(self, key):
        name, email = self.person(key)
        created, updated = self.times(key)
        return {"id": key, "name": name, "email": email, "created_at": created, "updated_at": updated}

    def make_customers(self, key):
        record = self.make_users(key)
        record["phone"] = "+41 44 %03d %04d" % (self.number(key, 3, 1000), self.number(key, 4, 10000))
        record["address"] = {"city": self.pick(CITIES, key, 5), "zip": "%05d" % self.number(key, 6, 100000)}
        return record

    def make_orders(self, key):
        created, updated = self.times(key)
        status = self.pick(STATUSES, key, 10)
        if self.moved(key):
            status = "version %d" % self.version
        cents = 100 + self.number(key, 11, 1000000)
        customers = max(1, self.sizes["customers"])
        return {"id": key, "customer_id": 1 + (key - 1) % customers, "total": cents / 100, "status": status,
                "created_at": created, "updated_at": updated}

    def make_products(self, key):
        created, updated = self.times(key)
        cents = 500 + self.number(key, 20, 100000) + self.moved(key)
        tags = sorted({self.pick(TAGS, key, 21 + k) for k in range(1 + self.number(key, 25, 3))})
        return {"id": key, "name": "Product %d" % key, "description": words(key, 30, 8),
                "pricing": {"amount": cents / 100, "currency": self.pick(CURRENCIES, key, 26)},
                "category": {"id": 1 + self.number(key, 27, len(CATEGORIES)), "name": self.pick(CATEGORIES, key, 27)},
                "tags": tags,
                "inventory": {"quantity": self.number(key, 28, 4) * self.number(key, 29, 50), "warehouse": "W1"},
                "original_price": cents / 100, "sale_price": cents * 8 // 10 / 100,
                "contact_email": "not an address" if key % 25 == 0 else "sales%d@example.com" % key,
                "created_at": created, "updated_at": updated}

    def make_posts(self, key):
        return {"userId": 1 + (key - 1) // 10, "id": key, "title": words(key, 50, 6),
                "body": "\n".join(words(key, 60 + 10 * k, 8) for k in range(3))}

    def make_data(self, key):
        name, email = self.person(key)
        created, updated = self.times(key)
        return {"id": key, "name": name, "email": email, "phone": "+1 555 %07d" % self.number(key, 70, 10000000),
                "value": self.number(key, 71, 100000) / 8, "active": key % 3 != 0,
                "note": None if key % 7 == 0 else words(key, 72, 5), "created_at": created, "updated_at": updated}


ITEM = ('{"id":%d,"customer_id":%d,"name":"%s %s","email":"%s.%d@example.com","status":"%s","total":%d.%02d,'
        '"quantity":%d,"active":%s,"created_at":"%s","updated_at":"%s","description":"%s",'
        '"attributes":{"color":"%s","weight":%d,"dimensions":[%d,%d,%d]}}')

DESCRIPTION = "item of the reference workload, with a text that no column keeps, as the items of real services have"


class ReferenceItems:
    """The reference workload of the benchmark: items of about 400 bytes and 12 fields, as ready JSON text.

    Pages are made once and kept, so that serving them measures the client and not Python.
    """

    def __init__(self, seed=1):
        self.seed = seed
        self.lock = threading.Lock()
        self.pages = {}

    def page(self, offset, limit, count):
        """The JSON array of the items offset+1 to offset+limit of count, as bytes."""
        first, last = offset + 1, min(offset + limit, count)
        with self.lock:
            body = self.pages.get((first, last))
            if body is None:
                body = ("[%s]" % ",".join(self.item(key) for key in range(first, last + 1))).encode()
                self.pages[(first, last)] = body
        return body

    def item(self, key):
        """One item's JSON text."""
        a = mix(key, self.seed)
        b = mix(key, self.seed + 1)
        first, last = FIRST[a % 10], LAST[b % 10]
        day = "2024-%02d-%02dT%02d:%02d:" % (1 + a % 12, 1 + b % 28, a // 16 % 24, b // 16 % 60)
        return ITEM % (key, 1 + a % 50000, first, last, first.lower(), key, STATUSES[a // 64 % 6],
                       a % 10000, b % 100, 1 + b % 20, "true" if a & 64 else "false",
                       day + "05Z", day + "45.123456Z", DESCRIPTION,
                       CATEGORIES[b // 64 % 6], a % 5000, a % 100, b % 100, a // 128 % 100)
