"""The order book beside two crates, on one stream of commands."""

import pathlib

from .measure import Cost
from .sizes import SIZES
from .workload import Contender, Setup, Table, Workload, files

TABLES = {"trades": Table(("number",)), "resting": Table(("side", "price"))}
NANOSECONDS = ("ns a command", 1e9)


def workload(setup: Setup) -> Workload:
    """The order book."""
    commands = SIZES[setup.size]["book"]
    engines = {"Headwater": "headwater", "matchcore": "matchcore", "lobster": "lobster"}
    contenders = [engine(setup, name, argument, commands) for name, argument in engines.items()]
    title = f"Order book: {commands:,} commands, a fifth of that many orders at rest at the end"
    return Workload("book", title, TABLES, contenders, NANOSECONDS, inside=True)


def engine(setup: Setup, name: str, argument: str, commands: int) -> Contender:
    """A book; the times are measured inside the program."""
    command = [setup.rust["book"], argument, commands]

    def measure(_: pathlib.Path) -> Cost:
        return setup.runner.run_reporting(command)

    def answers(folder: pathlib.Path) -> dict:
        setup.runner.run([*command, folder])
        return files(folder, TABLES)

    return Contender(name, measure, answers, answers_by_running=True)
