#!/usr/bin/env python3
"""Checks the layout of C files against .clang-format, and the length of their lines.

clang-format cannot say three things of PostgreSQL's layout, so what it would
change there is passed over: where declared names and trailing comments are
aligned within a line, how initializers are laid out, and how far the second
line of an expression is indented.
"""

import re
import subprocess
import sys
import xml.etree.ElementTree

MAX_COLUMNS = 140
INITIALIZER = re.compile(rb"=\s*\{")


def initializers(text):
    """The (start, end) of each brace initializer."""
    spans, end = [], 0
    for match in INITIALIZER.finditer(text):
        if match.start() < end:
            continue
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += {ord("{"): 1, ord("}"): -1}.get(text[end], 0)
            end += 1
        spans.append((match.start(), end))
    return spans


def is_continued(line):
    """Whether a line goes on in the next one: it ends neither a statement nor a header of one."""
    line = re.sub(rb"/\*.*?\*/", b"", line).rstrip(b" \t\\")
    return line != b"" and line[-1:] not in b";{}:)" and not re.search(rb"\b(else|do)$", line)


def objections(name):
    """Every place of a file where the layout differs: (line, what)."""
    with open(name, "rb") as file:
        text = file.read()
    for number, line in enumerate(text.decode().split("\n"), 1):
        if name.startswith("src/") and len(line.expandtabs(4)) > MAX_COLUMNS:  # tables of test cases may be wider
            yield number, "longer than %d columns" % MAX_COLUMNS
    result = subprocess.run(["clang-format", "--output-replacements-xml", name], check=True, capture_output=True)
    spans = initializers(text)
    for replacement in xml.etree.ElementTree.fromstring(result.stdout).iter("replacement"):
        start = int(replacement.get("offset"))
        old = text[start:start + int(replacement.get("length"))]
        new = replacement.text or ""
        line_start = text.rfind(b"\n", 0, start) + 1
        within_line = b"\n" not in old and "\n" not in new and text[line_start:start].strip() != b""
        if within_line and old.strip() == b"" and new.strip() == "" and old != b"" and new != "":
            continue
        if old.count(b"\n") == 1 == new.count("\n") and is_continued(text[line_start:start]):
            continue
        if within_line and (text[start:start + 3] == b"..." or text[:start].endswith(b")") and text[start:start + 2] == b" ("):
            continue
        if any(first <= start < last for first, last in spans):
            continue
        yield text.count(b"\n", 0, start) + 1, "clang-format would have %r for %r" % (new, old.decode())


def main():
    wrong = ["%s:%d: %s" % (name, line, what) for name in sys.argv[1:] for line, what in objections(name)]
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
