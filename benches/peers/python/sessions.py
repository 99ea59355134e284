"""What the programs that run statements in a session share."""

import csv
import json
import time


def cell(value) -> str:
    """A value as it is in Headwater's CSV."""
    if value is None:
        return ""
    return value.isoformat(sep=" ") if hasattr(value, "isoformat") else str(value)


def write(path: str, columns: list, rows) -> None:
    """Writes the rows of an answer."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(columns)
        lines.writerows([cell(value) for value in row] for row in rows)


def report(statement, times: int) -> None:
    """Runs a statement so often and prints the mean time of one; nothing, if it is not to be run again."""
    if times == 0:
        return
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        statement()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps({"cpu_s": cpu / times, "wall_s": wall / times}))
