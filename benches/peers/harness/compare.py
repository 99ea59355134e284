"""Checks that answers are equal, row by row and column by column.

`python -m harness.compare SPEC` reads a JSON file that names the tables, the reference's files and
the others' files. It runs as a process of its own, so that a million rows are not part of the
harness's memory. Exit code 1 and the first differing rows on standard output if anything differs.

An answer is a CSV file with a header line. A row is found by its key; an answer without a key is a
list, in which order counts. A column that a peer does not keep is missing in its file.
"""

import csv
import decimal
import json
import re
import sys

SHOWN = 5
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def main() -> int:
    """Compares everything; returns the exit code."""
    decimal.getcontext().prec = 60
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    return 0 if all([compare_table(name, table) for name, table in spec.items()]) else 1


def compare_table(name: str, table: dict) -> bool:
    """Compares one table of every peer with the reference's."""
    reference_name, reference_path = table["reference"]
    columns, reference = read(reference_path, table["key"])
    equal = True
    for peer, other in table["others"].items():
        near = {**table["near"], **other["near"]}
        problems, common = differences(columns, reference, *read(other["path"], table["key"]), near)
        if not reference:
            problems = ["no row at all"]
        if problems:
            equal = False
            count = f"{len(problems)} rows of {len(reference)}"
            print(f"{name}: {peer} differs from {reference_name} in {count}")
            print("\n".join(f"  {problem}" for problem in problems[:SHOWN]))
        else:
            print(f"{name}: {peer}: {len(reference)} rows equal in {summary(common, near)}")
    return equal


def summary(columns: list, near: dict) -> str:
    """The columns, with the tolerance of those that need not be exact."""
    return ", ".join(
        f"{column} (within {near[column]})" if column in near else column for column in columns
    )


def read(path: str, key: list) -> tuple[list, dict]:
    """Reads an answer: its columns that are no key, and the rows by key."""
    with open(path, newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        header = next(lines)
        found = [header.index(column) for column in key]
        rest = [index for index, column in enumerate(header) if column not in key]
        rows = {}
        for number, line in enumerate(lines):
            name = tuple(line[index] for index in found) if key else number
            if name in rows:
                raise SystemExit(f"{path}: {name} is there twice")
            rows[name] = [value(line[index]) for index in rest]
    return [header[index] for index in rest], rows


def value(text: str):
    """A number, a time without its zone's name and trailing zeros, or the text as it is."""
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        pass
    if TIME.match(text):
        text = re.sub(r"(Z|\+00(:?00)?)$", "", text.replace("T", " "))
        return text.rstrip("0").rstrip(".") if "." in text else text
    return text


def differences(
    columns: list, reference: dict, other_columns: list, other: dict, near: dict
) -> tuple:
    """One sentence per row that differs, and the columns that both have."""
    common = [column for column in columns if column in other_columns]
    missing = [column for column in other_columns if column not in columns]
    if missing or not common:
        return [f"columns {columns} and {other_columns} are not comparable"], common
    indices = [(columns.index(c), other_columns.index(c), tolerance(near.get(c))) for c in common]
    problems = [f"{key} is too many" for key in other if key not in reference]
    for key, row in reference.items():
        theirs = other.get(key)
        if theirs is None:
            problems.append(f"{key} is missing")
        elif not all(same(row[i], theirs[j], allowed) for i, j, allowed in indices):
            told = ", ".join(
                f"{c} {row[i]} and {theirs[j]}" for c, (i, j, _) in zip(common, indices)
            )
            problems.append(f"{key}: {told}")
    return problems, common


def tolerance(text: str | None):
    """An absolute tolerance, or with a trailing `r` a relative one."""
    if text is None:
        return None
    return decimal.Decimal(text.rstrip("r")), text.endswith("r")


def same(ours, theirs, allowed) -> bool:
    """Equal, or near enough where that is allowed."""
    if ours == theirs:
        return True
    if allowed is None or not (
        isinstance(ours, decimal.Decimal) and isinstance(theirs, decimal.Decimal)
    ):
        return False
    bound, relative = allowed
    return abs(ours - theirs) <= (bound * max(abs(ours), abs(theirs)) if relative else bound)


if __name__ == "__main__":
    sys.exit(main())
