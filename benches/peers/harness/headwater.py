"""Headwater as a contender."""

import pathlib

from . import cache
from .measure import Cost
from .workload import Setup

# Configurations name the rules by a path relative to this folder.
FOLDER = cache.BENCH / "headwater"


def run(setup: Setup, source: pathlib.Path, data: pathlib.Path, configuration: str) -> Cost:
    """Runs over everything that is there, to the last commit."""
    command = [setup.headwater, "run", "--source", f"log:{source}", "--data", data]
    options = ["--config", f"{configuration}.toml", "--until-end", "--workers", str(setup.workers)]
    cost, _ = setup.runner.run([*command, *options], FOLDER)
    return cost


def roomy(setup: Setup) -> pathlib.Path:
    """A configuration with memory for whole tables."""
    configuration = setup.runner.work / "export.toml"
    configuration.write_text("[sql]\nmemory_limit_mib = 8192\n", encoding="utf-8")
    return configuration


def sql(setup: Setup, data: pathlib.Path, query: str, into: pathlib.Path) -> pathlib.Path:
    """Writes the rows of a query as CSV, however many they are; untimed."""
    options = ["--config", roomy(setup), "--format", "csv"]
    _, printed = setup.runner.run([setup.headwater, "sql", "--data", data, *options, query])
    into.write_text(printed, encoding="utf-8")
    return into


def export(setup: Setup, data: pathlib.Path, tables: tuple, into: pathlib.Path) -> None:
    """Writes tables as Parquet, a file each; untimed."""
    options = [option for table in tables for option in ("--table", table)]
    command = [setup.headwater, "export", "--data", data, "--config", roomy(setup), *options]
    setup.runner.run([*command, "--format", "parquet", "--out", into])


def session(setup: Setup, data: pathlib.Path, query: str, times: int) -> Cost:
    """Answers a statement `times` times in one session, on as many threads as there are workers."""
    configuration = setup.runner.work / "sql.toml"
    configuration.write_text(f"[sql]\nthreads = {setup.workers}\n", encoding="utf-8")
    command = [setup.headwater, "sql", "--data", data, "--config", configuration]
    cost, _ = setup.runner.run(command, given=f"{query};\n" * times)
    return cost
