"""Runs the benches; started by `benches/peers/run` in the virtual environment."""

import argparse
import json
import pathlib
import shutil
import signal
import sys
import tempfile
import time

from . import (
    book,
    cache,
    inputs,
    options,
    positions,
    report,
    risk,
    rounds,
    scores,
    statements,
    toolchain,
)
from .measure import ProgramError, Runner
from .sizes import SIZES
from .workload import Setup, Workload


def set_up(chosen: argparse.Namespace, work: pathlib.Path) -> Setup:
    """Fetches, builds and generates whatever the chosen workloads need."""
    only, python = set(chosen.only), pathlib.Path(sys.executable)
    specs = SIZES[chosen.size]
    needed = only | ({"A1"} if "sql" in only else set())
    found = {}
    for name in sorted(needed & {"A1", "A2", "Bu", "var"}):
        toolchain.say(f"input {name}, size {chosen.size}")
        found[name] = inputs.folder(f"{name}-{chosen.size}", specs[name], python)
    return Setup(
        runner=Runner(work, chosen.limit),
        headwater=toolchain.headwater(chosen.profile),
        python=python,
        rust=toolchain.rust_peers() if only - {"sql"} else {},
        flink=toolchain.flink() if only & {"A1", "A2", "Bu"} else [],
        inputs=found,
        workers=chosen.workers,
        size=chosen.size,
    )


def workloads(setup: Setup, only: list) -> list:
    """The workloads of each table, made when its turn comes."""
    makers = {
        "A1": lambda: [positions.workload(setup, "A1")],
        "A2": lambda: [positions.workload(setup, "A2")],
        "Bu": lambda: [scores.workload(setup)],
        "book": lambda: [book.workload(setup)],
        "var": lambda: [risk.workload(setup, kind) for kind in ("one", "all")],
        "sql": lambda: statements.workloads(setup),
    }
    return [makers[name] for name in options.WORKLOADS if name in only]


def narrowed(workload: Workload, wanted: list | None) -> Workload:
    """The workload with Headwater and the wanted peers."""
    if wanted is None:
        return workload
    ours, *others = workload.contenders
    kept = [c for c in others if any(part.lower() in c.name.lower() for part in wanted)]
    workload.contenders[:] = [ours, *kept]
    return workload


def bench(chosen: argparse.Namespace, command: list, work: pathlib.Path) -> None:
    """Measures everything that was chosen, and prints each table once it is complete."""
    setup = set_up(chosen, work)
    if chosen.prepare:
        toolchain.say("everything is fetched, built and generated")
        return
    told = report.circumstances(setup, command)
    print(f"{told}\n\n{report.LEGEND}\n", flush=True)
    deadline = time.monotonic() + chosen.budget * 60
    results = {}
    for make in workloads(setup, chosen.only):
        if results and time.monotonic() > deadline:
            toolchain.say("the budget is used up: the remaining workloads are left out")
            break
        measured = []
        for workload in map(lambda made: narrowed(made, chosen.peers), make()):
            costs = rounds.measure(workload, chosen.rounds, work, deadline)
            results[workload.name] = costs
            measured.append((workload, costs))
        print(f"{report.table(measured)}\n", flush=True)
    if chosen.json:
        text = json.dumps(report.as_json(results, told), indent=1)
        pathlib.Path(chosen.json).write_text(text + "\n", encoding="utf-8")


def end(*_) -> None:
    """Ends the run once: a second signal must not interrupt the removal of its folder."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main() -> int:
    """Returns the exit code."""
    command = sys.argv[1:]
    chosen = options.parse(command)
    signal.signal(signal.SIGTERM, end)
    cache.peers().mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix="work-", dir=cache.peers()))
    try:
        bench(chosen, command, work)
    except rounds.DifferentError as error:
        print(f"results differ, so no time is printed:\n{error}", file=sys.stderr)
        return 1
    except ProgramError as error:
        print(f"peers: {error}", file=sys.stderr)
        return 1
    except toolchain.ToolError as error:
        print(f"peers: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
