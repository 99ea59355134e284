"""Rows and bytes written per event, by table; started by `benches/peers/rows`.

`headwater sql` gives the commits (table `commits`) and the accepted events (table `audit`). The
commits' records give the files of each: table, role, rows, bytes. Both must agree.
"""

import argparse
import collections
import csv
import dataclasses
import io
import json
import pathlib
import sys

from . import toolchain


@dataclasses.dataclass
class Written:
    """What was written of a table. Tables share the files that are segments."""

    paths: set[str] = dataclasses.field(default_factory=set)
    rows: int = 0
    bytes: int = 0

    def add(self, file: dict) -> None:
        """Counts a file of a commit's record, or a part of one: its bytes are the part's alone."""
        self.paths.add(file["path"])
        self.rows += file["rows"]
        self.bytes += file["bytes"]


def parse(arguments: list) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="benches/peers/rows",
        description="Prints the rows and bytes written per accepted event, by table.",
    )
    parser.add_argument(
        "data",
        type=pathlib.Path,
        metavar="DATA",
        help="a data directory, written with commit.audit on",
    )
    parser.add_argument(
        "--per", metavar="TOPIC", help="divide by the events of this topic (default: of all topics)"
    )
    parser.add_argument(
        "--after",
        type=int,
        default=0,
        metavar="COMMIT",
        help="leave out this commit and those before it",
    )
    parser.add_argument(
        "--profile",
        choices=("release", "dev"),
        default="release",
        help="cargo profile, without HEADWATER",
    )
    return parser.parse_args(arguments)


def query(binary: pathlib.Path, data: pathlib.Path, text: str) -> list[dict]:
    """The rows of a query."""
    command = [binary, "sql", "--data", data, "--format", "csv", text]
    printed = toolchain.checked(command, f"the query {text!r}")
    return list(csv.DictReader(io.StringIO(printed)))


def records(data: pathlib.Path) -> dict[int, dict]:
    """The records of all commits, from their own files and from archives."""
    import pyarrow as pa

    found = {}
    for path in (data / "commits").glob("*.jsonl.zst"):
        with pa.input_stream(str(path), compression="zstd") as stream:
            lines = stream.read().decode().splitlines()
        found.update({record["commit_id"]: record for record in map(json.loads, lines)})
    for path in (data / "commits").glob("*.json"):
        if path.stem.isdigit():
            record = json.loads(path.read_text(encoding="utf-8"))
            found[record["commit_id"]] = record
    return found


def main() -> int:
    """Prints the table; returns the exit code."""
    chosen = parse(sys.argv[1:])
    try:
        binary = toolchain.headwater(chosen.profile)
        after = f"WHERE commit_id > {chosen.after}"
        commits = query(
            binary,
            chosen.data,
            f"SELECT commit_id, rows, files FROM commits {after} ORDER BY commit_id",
        )
        topics = query(
            binary,
            chosen.data,
            f"SELECT topic, count(*) AS n FROM audit {after} GROUP BY topic ORDER BY topic",
        )
    except toolchain.ToolError as error:
        print(f"rows: {error}", file=sys.stderr)
        return 3
    counted = {row["topic"]: int(row["n"]) for row in topics}
    events = counted.get(chosen.per, 0) if chosen.per else sum(counted.values())
    if not commits or not events:
        print(
            f"rows: {chosen.data} has no event to divide by after commit {chosen.after}",
            file=sys.stderr,
        )
        return 1
    known = records(chosen.data)
    written = collections.defaultdict(Written)
    for commit in commits:
        record = known[int(commit["commit_id"])]
        new = [file for file in record["files"] if not file.get("merged")]
        told = sum(file["rows"] for file in new), len(record["files"])
        if told != (int(commit["rows"]), int(commit["files"])):
            print(
                f"rows: the record of commit {commit['commit_id']} has {told}, SQL has {commit}",
                file=sys.stderr,
            )
            return 1
        for file in record["files"]:
            role = f"{file['role']}, merged" if file.get("merged") else file["role"]
            written[file["table"], role].add(file)
    print_table(written, events, chosen, counted, len(commits))
    return 0


def print_table(
    written: dict, events: int, chosen: argparse.Namespace, counted: dict, commits: int
) -> None:
    """Prints what was written, the greatest first."""
    read = ", ".join(f"{topic} {n:,}" for topic, n in counted.items())
    print(f"{commits} commits after {chosen.after}; accepted: {read}")
    print(f"per event of {chosen.per or 'any topic'}, of which there are {events:,}:\n")
    print("| table | role | files | rows | rows an event | bytes | bytes an event |")
    print("|---|---|---|---|---|---|---|")
    everything = Written()
    for (table, role), part in sorted(written.items(), key=lambda entry: -entry[1].bytes):
        print(line(table, role, part, events))
        everything = Written(
            everything.paths | part.paths,
            everything.rows + part.rows,
            everything.bytes + part.bytes,
        )
    print(line("all", "", everything, events))


def line(table: str, role: str, part: Written, events: int) -> str:
    """A row of the table."""
    each = f"{part.rows / events:.2f} | {part.bytes:,} | {part.bytes / events:.1f}"
    return f"| {table} | {role} | {len(part.paths):,} | {part.rows:,} | {each} |"


if __name__ == "__main__":
    sys.exit(main())
