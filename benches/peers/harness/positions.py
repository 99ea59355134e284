"""A1 and A2: positions, their values, and the accounts' sums."""

import pathlib

from . import cache, headwater
from .inputs import DEPOSIT
from .workload import Contender, Setup, Table, Workload, keeping, writing

TITLES = {
    "A1": "Positions: fills and quotes of a busy market, mixed",
    "A2": "Positions: a book is loaded, then follows the market",
}

TABLES = {
    "positions": Table(("account_id", "symbol"), {"average_price": "0.000000001"}),
    "accounts": Table(("account_id",)),
}

POSITIONS = (
    "SELECT account_id, symbol, quantity, cash_flow, average_price, market_value FROM positions"
)
ACCOUNTS = (
    "SELECT substr(scope, 9) AS account_id, net_value AS net, "
    f"cash - CAST({DEPOSIT} AS DECIMAL(28, 9)) AS cash FROM portfolios WHERE scope LIKE 'account:%'"
)


def workload(setup: Setup, name: str) -> Workload:
    """A1 or A2, by name."""
    source = setup.inputs[name]
    contenders = [
        by_headwater(setup, source),
        by_flink(setup, source, False),
        by_flink(setup, source, True),
    ]
    contenders += [by_differential(setup, source), by_hand(setup, source)]
    contenders += [by_script(setup, source, peer) for peer in ("DuckDB", "polars", "Python")]
    return Workload(name, TITLES[name], TABLES, contenders)


def by_headwater(setup: Setup, source: pathlib.Path) -> Contender:
    """Headwater, with every view that it keeps."""

    def answers(folder: pathlib.Path) -> dict:
        data = folder / "data"
        return {
            "positions": headwater.sql(setup, data, POSITIONS, folder / "positions.csv"),
            "accounts": headwater.sql(setup, data, ACCOUNTS, folder / "accounts.csv"),
        }

    return Contender(
        "Headwater",
        lambda folder: headwater.run(setup, source, folder / "data", "trading"),
        answers,
    )


def by_flink(setup: Setup, source: pathlib.Path, batched: bool) -> Contender:
    """Flink SQL into sinks that drop their rows.

    The answer comes from the same views in a run of its own, with sinks that keep the rows.
    """

    def job(folder: pathlib.Path, *more: str) -> list:
        options = [
            f"data={source}",
            f"checkpoints={folder}/checkpoints",
            f"parallelism={setup.workers}",
        ]
        options += ["mini-batch=1 s"] if batched else []
        return [*setup.flink, cache.BENCH / "flink/positions.sql", *options, *more]

    def answers(folder: pathlib.Path) -> dict:
        setup.runner.run(job(folder, f"answers={folder}"))
        return {table: folder / f"{table}.csv" for table in TABLES}

    name = "Flink SQL, mini-batch" if batched else "Flink SQL"
    return Contender(
        name, lambda folder: setup.runner.run(job(folder))[0], answers, answers_by_running=True
    )


def by_differential(setup: Setup, source: pathlib.Path) -> Contender:
    """Differential dataflow in memory."""
    command = [setup.rust["differential"], "positions", source, setup.workers]
    return keeping(setup, "bare differential", command, TABLES)


def by_hand(setup: Setup, source: pathlib.Path) -> Contender:
    """A loop in Rust over two maps."""
    command = [setup.rust["by_hand"], "positions", source]
    return writing(setup, "loop by hand (Rust)", command, TABLES)


def by_script(setup: Setup, source: pathlib.Path, peer: str) -> Contender:
    """A Python program, on DuckDB, on polars, or plain."""
    script = cache.BENCH / "python" / f"{peer.lower()}_batch.py"
    command = [setup.python, script, "positions", source, setup.workers]
    return writing(setup, peer, command, TABLES)
