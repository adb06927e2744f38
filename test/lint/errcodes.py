#!/usr/bin/env python3
"""Every error that users can meet has a SQLSTATE: no elog(ERROR) and no ereport(ERROR) without errcode, in the files given.

elog is for what cannot happen; a file says why in a comment on the same line: elog(ERROR, ...); /* cannot happen: ... */
"""

import re
import sys

CALL = re.compile(r"\b(elog|ereport|ereport_domain|errsave|ereturn)\s*\(")
LEVEL = re.compile(r"\s*(ERROR|FATAL|PANIC)\b")


def closing(text, start):
    """The position after the parenthesis that closes the one before start, strings skipped."""
    depth, position = 1, start
    while depth and position < len(text):
        char = text[position]
        if char == '"':
            position += 1
            while text[position] != '"':
                position += 2 if text[position] == "\\" else 1
        elif char == "'" and text[position + 1:position + 2]:
            position = text.index("'", position + (3 if text[position + 1] == "\\" else 2))
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        position += 1
    return position


def check(name):
    """The objections to a file."""
    with open(name) as file:
        text = file.read()
    # Comments go, but for the mark, with their line ends kept so that line numbers stay.
    bare = re.sub(r"/\*.*?\*/", lambda m: m[0] if "cannot happen" in m[0] else re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)
    for match in CALL.finditer(bare):
        arguments = bare[match.end():closing(bare, match.end())]
        line = bare.count("\n", 0, match.start()) + 1
        rest = bare[match.end() + len(arguments):].split("\n", 1)[0]
        saved = match[1] in ("errsave", "ereturn")
        if not saved and not LEVEL.match(arguments):
            continue
        if match[1] == "elog" and "cannot happen" not in rest:
            yield "%s:%d: elog(ERROR): use ereport with an errcode" % (name, line)
        elif match[1] != "elog" and "errcode" not in arguments and "rethrow" not in rest:
            yield "%s:%d: %s without errcode" % (name, line, match[1])


def main():
    wrong = [objection for name in sys.argv[1:] for objection in check(name)]
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
