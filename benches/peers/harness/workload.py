"""What a workload is: contenders that do the same work, and the tables in which they must agree."""

import dataclasses
import pathlib
from collections.abc import Callable

from .measure import Cost, Runner


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the answer: its key, and the columns that may differ by a tolerance."""

    key: tuple[str, ...]
    near: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Contender:
    """A program that does the work.

    `measure` runs it and returns the cost. `answers` returns the files of its answer by table, each
    in the folder of the contender that `measure` was given; it is not timed.
    """

    name: str
    measure: Callable[[pathlib.Path], Cost]
    answers: Callable[[pathlib.Path], dict[str, pathlib.Path]]
    near: dict[str, str] = dataclasses.field(default_factory=dict)
    # Whether `answers` runs the work once more, because the timed run writes no answer: checked in
    # the first round alone.
    answers_by_running: bool = False


@dataclasses.dataclass(frozen=True)
class Workload:
    """Work that is done by several contenders, Headwater first."""

    name: str
    title: str
    tables: dict[str, Table]
    contenders: list[Contender]
    # What the times are told in: the unit's name and how many are in a second.
    unit: tuple[str, float] = ("s", 1.0)
    # Whether CPU and wall were measured inside the program, around the work alone.
    inside: bool = False


@dataclasses.dataclass(frozen=True)
class Setup:
    """Everything that workloads are made from."""

    runner: Runner
    headwater: pathlib.Path
    python: pathlib.Path
    rust: dict[str, pathlib.Path]
    flink: list
    inputs: dict[str, pathlib.Path]
    workers: int
    size: str


def writing(setup: Setup, name: str, command: list, tables: dict) -> Contender:
    """A program that writes its answer, timed, into the folder that it is given last."""

    def measure(folder: pathlib.Path) -> Cost:
        return setup.runner.run([*command, folder])[0]

    return Contender(name, measure, lambda folder: files(folder, tables))


def keeping(setup: Setup, name: str, command: list, tables: dict) -> Contender:
    """A program that is timed without an answer, and writes one if it is given a folder."""

    def measure(_: pathlib.Path) -> Cost:
        return setup.runner.run(command)[0]

    def answers(folder: pathlib.Path) -> dict:
        setup.runner.run([*command, folder])
        return files(folder, tables)

    return Contender(name, measure, answers, answers_by_running=True)


def files(folder: pathlib.Path, tables: dict) -> dict[str, pathlib.Path]:
    """The answer's files, one per table."""
    return {table: folder / f"{table}.csv" for table in tables}
