"""SQL in a session: the same statements over the same rows."""

import dataclasses
import pathlib
import re
import shutil

from . import cache, headwater
from .measure import Cost
from .sizes import STATEMENTS
from .workload import Contender, Setup, Table, Workload

# Ratios and other binary numbers may differ in the last digits of a sum.
TABLES = {"rows": Table((), {"hhi": "1e-12r", "leverage": "1e-12r", "weight": "1e-12r"})}
MILLISECONDS = ("ms a statement", 1e3)

STATEMENTS_FILE = cache.BENCH / "statements.sql"

# What the statements read. The peers read the rows that Headwater gave, of views as of tables.
READ = (
    "positions",
    "positions_history",
    "portfolios",
    "portfolios_history",
    "balances",
    "ledger_entries",
    "audit",
)

# Statements for which a program is started: of a view, and of two tables.
STARTED_FOR = ("one account", "trial balance", "audit by topic")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Headwater's data directory, and the same rows as one Parquet file per table."""

    data: pathlib.Path
    parquet: pathlib.Path


def queries() -> dict[str, str]:
    """The statements by name, each on one line."""
    text = STATEMENTS_FILE.read_text(encoding="utf-8")
    found = re.findall(r"^-- (.+)\n((?:(?!--).+\n)+)", text, re.MULTILINE)
    return {name: " ".join(query.split()).removesuffix(";") for name, query in found}


def prepare(setup: Setup) -> Rows:
    """Runs Headwater over A1 once, and writes the tables that are read as Parquet; untimed."""
    folder = setup.runner.work / "sql"
    shutil.rmtree(folder, ignore_errors=True)
    rows = Rows(folder / "data", folder / "parquet")
    rows.parquet.mkdir(parents=True)
    headwater.run(setup, setup.inputs["A1"], rows.data, "trading")
    headwater.export(setup, rows.data, READ, rows.parquet)
    return rows


def workloads(setup: Setup) -> list[Workload]:
    """A workload per query, and for some what a program takes that starts for them."""
    rows, times, asked = prepare(setup), STATEMENTS[setup.size], queries()
    made = [workload(setup, rows, name, query, times) for name, query in asked.items()]
    return made + [first(setup, rows, name, asked[name]) for name in STARTED_FOR]


def first(setup: Setup, rows: Rows, name: str, query: str) -> Workload:
    """One query by a program that is started for it, and ends."""

    def by_us(folder: pathlib.Path) -> Cost:
        command = [setup.headwater, "sql", "--data", rows.data, "--format", "csv", query]
        cost, printed = setup.runner.run(command)
        (folder / "rows.csv").write_text(printed, encoding="utf-8")
        return cost

    def by_duckdb(folder: pathlib.Path) -> Cost:
        script = cache.BENCH / "python/duckdb_session.py"
        command = [setup.python, script, rows.parquet, setup.workers, 0, query]
        return setup.runner.run([*command, folder / "rows.csv"])[0]

    def answers(folder: pathlib.Path) -> dict:
        return {"rows": folder / "rows.csv"}

    contenders = [Contender("Headwater", by_us, answers), Contender("DuckDB", by_duckdb, answers)]
    title = "SQL, from the start of the program to its end"
    return Workload(f"sql started: {name}", title, TABLES, contenders, ("ms", 1e3))


def workload(setup: Setup, rows: Rows, name: str, query: str, times: int) -> Workload:
    """One query."""
    contenders = [by_headwater(setup, rows, query, times)]
    for peer, script in (("DuckDB", "duckdb_session.py"), ("DataFusion", "datafusion_session.py")):
        command = [
            setup.python,
            cache.BENCH / "python" / script,
            rows.parquet,
            setup.workers,
            times,
            query,
        ]
        contenders.append(by_session(setup, peer, command))
    return Workload(
        f"sql: {name}",
        "SQL in a session, over the tables of A1",
        TABLES,
        contenders,
        MILLISECONDS,
        inside=True,
    )


def by_headwater(setup: Setup, rows: Rows, query: str, times: int) -> Contender:
    """A session of several statements less a session of one, per statement."""

    def measure(_: pathlib.Path) -> Cost:
        first = headwater.session(setup, rows.data, query, 1)
        return headwater.session(setup, rows.data, query, times + 1).less(first, times)

    def answers(folder: pathlib.Path) -> dict:
        return {"rows": headwater.sql(setup, rows.data, query, folder / "rows.csv")}

    return Contender("Headwater", measure, answers)


def by_session(setup: Setup, name: str, command: list) -> Contender:
    """A program that runs the statement once untimed, writes its rows, then times it."""

    def measure(folder: pathlib.Path) -> Cost:
        return setup.runner.run_reporting([*command, folder / "rows.csv"])

    return Contender(name, measure, lambda folder: {"rows": folder / "rows.csv"})
