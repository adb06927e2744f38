"""Faults that a seed draws, and pages that overlap, for the chaos test (test/chaos).

The directive "chaos" (/chaos/7/users) has the seed and, behind it, kinds of faults beside the usual ones
(/chaos/7:error200:html/users). Each URL has a few faults of its own, for the first requests of it; what comes after
those is right. So whoever asks often enough gets everything, and the same seed gives the same faults, whenever a
client is killed and asks again.

The directive "overlap" (/overlap/7/users) has a seed, too: pages begin with items of the page before. What a URL gives
is always the same, as the data stands still.
"""

import random
import threading
import urllib.parse

import faults

# How often a URL has 0, 1, 2, 3 faults.
HOW_MANY = (0, 0, 0, 0, 0, 1, 1, 1, 2, 3)
USUAL = ("hangup", "reset", "reset", "truncate", "truncate", "cut", "cut", "status:500", "status:503",
         "status:503:retry_after=0", "drip", "delay:150")
# What has to be asked for, as not every client can do something about it.
EXTRA = {"error200": "error200", "html": "html", "too_large": "status:413"}
# A source that says "too many requests" slows its client down for long.
RARE = "status:429:retry_after=1"
MAX_WAIT = 30.0


def draw(seed, target, count):
    """The faults of the count-th request of a URL, as texts."""
    extra = tuple(EXTRA[name] for name in seed.split(":")[1:])
    rng = random.Random("%s %s" % (seed, target))
    if is_small(target):
        extra = tuple(kind for kind in extra if kind != EXTRA["too_large"])
    drawn = [pick(rng, USUAL + extra) for _ in range(rng.choice(HOW_MANY))]
    if rng.random() < 0.02:
        drawn.append(RARE)
    pause = "delay:%d" % rng.randint(5, 25)
    return [pause] + drawn[count - 1:count]


def is_small(target):
    """Whether a page is asked for that nobody can call too large."""
    limit = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query).get("limit", ["0"])
    return int(limit[0]) < 10


def pick(rng, kinds):
    """A fault of one of the kinds, with the place where it happens, in bytes of a body of some kilobytes."""
    kind = rng.choice(kinds)
    if kind in ("reset", "truncate", "cut"):
        return "%s:%d" % (kind, rng.choice((0, 1, 3, rng.randint(4, 2000), rng.randint(500, 8000))))
    if kind == "drip":
        return "drip:%d:%d" % (rng.randint(400, 1500), rng.randint(5, 30))
    return kind


def overlap(seed, where, limit):
    """How many items of the page before a page begins with: none, some, or (but one) all that fit."""
    rng = random.Random("%s overlap %s" % (seed, where))
    return rng.choice((0, 0, 1, rng.randint(1, max(1, limit // 2)), limit - 1)) if limit > 1 else 0


def repeats(seed, where):
    """Whether the page before comes once more, whole, where it is told by a cursor of its own."""
    return random.Random("%s repeat %s" % (seed, where)).random() < 0.2


class Account:
    """What has happened so far, for whoever waits for that."""

    def __init__(self):
        self.changed = threading.Condition()
        self.reset()

    def reset(self):
        with self.changed:
            self.requests = 0
            self.seen = {}
            self.kinds = {}

    def faults_of(self, seed, target):
        """Counts a request; the faults that it gets."""
        with self.changed:
            self.requests += 1
            count = self.seen[target] = self.seen.get(target, 0) + 1
            drawn = [faults.Fault(text) for text in draw(seed, target, count)]
            for fault in drawn[1:]:
                kind = ":".join([fault.name] + fault.args[:1]) if fault.name == "status" else fault.name
                self.kinds[kind] = self.kinds.get(kind, 0) + 1
            self.changed.notify_all()
        return drawn

    def state(self, requests=0, timeout=0.0):
        """How many requests there were, and which faults; when there have been so many, or the time is up."""
        with self.changed:
            self.changed.wait_for(lambda: self.requests >= requests, min(timeout, MAX_WAIT))
            return {"requests": self.requests, "faults": self.kinds}
