"""Reads PostgreSQL's log and prints each statement that a program may say to its tables, once, in order of its text."""

import re
import sys

START = re.compile(r"LOG:  (?:execute [^:]*|statement): (.*)")
# Longer ones are the same for more rows.
LONGEST = 1500

statements, current = set(), None


def take(text):
    """Texts of several statements are asked for one by one: the engine prepares one at a time."""
    for part in re.split(r";\s", text) if text.startswith("BEGIN") or "; COMMIT" in text else [text]:
        part = " ".join(part.split())
        known = re.match(r"(SELECT|INSERT|UPDATE|DELETE|WITH)\b", part)
        # What the tests say past the program, and the bookkeeping of the schema.
        foreign = re.search(r"promise_\d|_sqlx|current_database|pg_catalog|information_schema|pg_tables|clock_timestamp\(\)\) \* 1000 <=", part)
        if known and not foreign and len(part) <= LONGEST and "\n" not in part:
            statements.add(part)


for line in sys.stdin:
    line = line.rstrip("\n")
    if line.startswith("\t") and current is not None:
        current += " " + line.strip()
        continue
    if current is not None:
        take(current)
    started = START.search(line)
    current = started.group(1) if started else None
if current is not None:
    take(current)
print("\n\n".join(sorted(statements)))
