"""Bu: a score for each transaction, from its amount, its hour and its account's ten minutes."""

import pathlib

from . import cache, headwater
from .workload import Contender, Setup, Table, Workload, keeping, writing

TABLES = {"scores": Table(("transaction_id",))}
SCORES = "SELECT subject_id AS transaction_id, score FROM decisions"


def workload(setup: Setup) -> Workload:
    """Bu."""
    source = setup.inputs["Bu"]
    contenders = [
        by_headwater(setup, source),
        by_flink(setup, source),
        by_differential(setup, source),
    ]
    contenders.append(
        writing(setup, "loop by hand (Rust)", [setup.rust["by_hand"], "scores", source], TABLES)
    )
    for peer in ("DuckDB", "polars", "Python"):
        script = cache.BENCH / "python" / f"{peer.lower()}_batch.py"
        command = [setup.python, script, "scores", source, setup.workers]
        contenders.append(writing(setup, peer, command, TABLES))
    return Workload("Bu", "Scores: transactions of evenly busy accounts", TABLES, contenders)


def by_headwater(setup: Setup, source: pathlib.Path) -> Contender:
    """Headwater, with every view that it keeps."""

    def answers(folder: pathlib.Path) -> dict:
        return {"scores": headwater.sql(setup, folder / "data", SCORES, folder / "scores.csv")}

    return Contender(
        "Headwater",
        lambda folder: headwater.run(setup, source, folder / "data", "payments"),
        answers,
    )


def by_flink(setup: Setup, source: pathlib.Path) -> Contender:
    """Flink SQL into Parquet files, which are its answer."""

    def measure(folder: pathlib.Path):
        # Two files of one topic: read by one task, the second would be later than the watermark.
        parallelism = max(2, setup.workers)
        options = [
            f"data={source}",
            f"checkpoints={folder}/checkpoints",
            f"parallelism={parallelism}",
        ]
        job = [*setup.flink, cache.BENCH / "flink/scores.sql", *options, f"sink={folder}/scores"]
        return setup.runner.run(job)[0]

    def answers(folder: pathlib.Path) -> dict:
        into = folder / "scores.csv"
        script = cache.BENCH / "python/parquet_to_csv.py"
        columns = "transaction_id,score"
        setup.runner.run([setup.python, script, folder / "scores", columns, into])
        return {"scores": into}

    return Contender("Flink SQL", measure, answers)


def by_differential(setup: Setup, source: pathlib.Path) -> Contender:
    """Differential dataflow in memory."""
    command = [setup.rust["differential"], "scores", source, setup.workers]
    return keeping(setup, "bare differential", command, TABLES)
