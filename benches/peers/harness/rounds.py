"""Rounds in turns, with the check of equal results."""

import json
import pathlib
import shutil
import subprocess
import sys
import time

from . import cache
from .measure import Cost
from .toolchain import say
from .workload import Contender, Workload


class DifferentError(Exception):
    """Results differ."""


def measure(
    workload: Workload, rounds: int, work: pathlib.Path, deadline: float
) -> dict[str, list[Cost]]:
    """The costs of each contender, round by round.

    Contenders alternate. Every round's results are compared before the costs are returned; an
    answer that needs a run of its own is compared in the first round.
    """
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in workload.contenders}
    for number in range(rounds):
        if number and time.monotonic() > deadline:
            say(f"{workload.name}: the budget is used up after {number} rounds")
            break
        folders = {}
        for contender in workload.contenders:
            say(f"{workload.name}, round {number + 1} of {rounds}: {contender.name}")
            folders[contender.name] = folder = work / f"contender-{len(folders)}"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            costs[contender.name].append(contender.measure(folder))
        compared = [c for c in workload.contenders if number == 0 or not c.answers_by_running]
        told = compare(workload, compared, folders, work)
        if number == 0:
            print(told, flush=True)
        for folder in folders.values():
            shutil.rmtree(folder, ignore_errors=True)
    return costs


def compare(
    workload: Workload, contenders: list[Contender], folders: dict, work: pathlib.Path
) -> str:
    """Compares every answer with Headwater's, row by row; returns what was compared."""
    if len(contenders) < 2:
        return ""
    answers = {
        contender.name: contender.answers(folders[contender.name]) for contender in contenders
    }
    near = {contender.name: contender.near for contender in contenders}
    ours, *others = [contender.name for contender in contenders]
    spec = {
        f"{workload.name} {table}": {
            "key": declared.key,
            "near": declared.near,
            "reference": [ours, str(answers[ours][table])],
            "others": {
                name: {"path": str(answers[name][table]), "near": near[name]} for name in others
            },
        }
        for table, declared in workload.tables.items()
    }
    path = work / "compare.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    command = [sys.executable, "-m", "harness.compare", path]
    done = subprocess.run(command, cwd=cache.BENCH, text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise DifferentError(done.stdout)
    return done.stdout.rstrip()
