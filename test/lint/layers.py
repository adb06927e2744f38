#!/usr/bin/env python3
"""Includes point down: a layer may include itself and the layers below it, and no header includes itself in a circle."""

import pathlib
import re
import sys

# From the lowest up.  What users call (api) may ask the workers, not the other way round.
LEVELS = {"base": 0, "catalog": 1, "job": 2, "template": 3, "source": 4, "item": 5, "destination": 6, "run": 7,
          "watch": 8, "worker": 9, "api": 10}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([a-z_0-9]+/[a-z_0-9]+\.h)"', re.MULTILINE)


def layer(path):
    return path.split("/")[0]


def main():
    root = pathlib.Path("src")
    includes = {}
    wrong = []
    for file in sorted(root.rglob("*.[ch]")):
        name = file.relative_to(root).as_posix()
        ours = [header for header in INCLUDE.findall(file.read_text()) if (root / header).exists()]
        includes[name] = ours
        if "/" not in name:
            continue
        if layer(name) not in LEVELS:
            wrong.append("src/%s: no such layer" % name)
            continue
        for header in ours:
            mine, theirs = layer(name), layer(header)
            if mine != theirs and LEVELS.get(theirs, 99) >= LEVELS[mine]:
                wrong.append("src/%s (%s) includes %s (%s), which is not below it" % (name, mine, header, theirs))
    wrong += ["headers include each other: " + " -> ".join(cycle) for cycle in cycles(includes)]
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


def cycles(includes):
    """The cycles among headers, each once."""
    found, done = [], set()

    def visit(name, path):
        if name in path:
            found.append(path[path.index(name):] + [name])
            return
        if name not in done:
            for header in includes.get(name, ()):
                visit(header, path + [name])
            done.add(name)

    for name in includes:
        visit(name, [])
    return found


if __name__ == "__main__":
    sys.exit(main())
