"""Value at risk: one price changed, and all prices changed."""

import pathlib

from . import cache, headwater
from .measure import Cost
from .sizes import SIZES
from .workload import Contender, Setup, Table, Workload, files

# P&L is a whole number of millionths in all of them; numpy's mean is a binary number.
TABLES = {"risk": Table(("scope", "confidence"), {"expected_shortfall": "0.000001"})}
# A matrix product does not round its terms. The firm adds up to 50,000 of them.
UNROUNDED = {"var": "0.025", "expected_shortfall": "0.025"}
MILLISECONDS = ("ms a step", 1e3)
RISK = (
    "SELECT scope, confidence, var, expected_shortfall FROM risk "
    "WHERE method = 'historical' AND (scope LIKE 'account:%' OR scope = 'book:firm')"
)


def workload(setup: Setup, kind: str) -> Workload:
    """`one` or `all`."""
    spec = SIZES[setup.size]["var"]
    steps = {"one": spec.one_steps, "all": spec.all_steps}[kind]
    shape = (
        f"{spec.accounts:,} accounts x {spec.symbols_of_account} positions x {spec.days} scenarios"
    )
    what = {"one": "one price changed", "all": "all prices changed"}[kind]
    source = setup.inputs["var"]
    contenders = [by_headwater(setup, source, kind, steps)]
    contenders += [by_numpy(setup, source, kind, form) for form in ("product", "rounded")]
    contenders.append(reporting(setup, "kernel by hand (Rust)", [setup.rust["risk"], kind, source]))
    return Workload(
        f"var-{kind}", f"VaR, {shape}: {what}", TABLES, contenders, MILLISECONDS, inside=True
    )


def by_headwater(setup: Setup, source: pathlib.Path, kind: str, steps: int) -> Contender:
    """The whole pipeline with its rows: a run with the steps less a run without them, per step."""

    def measure(folder: pathlib.Path) -> Cost:
        without = headwater.run(setup, source / "base", folder / "base", "trading")
        return headwater.run(setup, source / kind, folder / "data", "trading").less(without, steps)

    def answers(folder: pathlib.Path) -> dict:
        return {"risk": headwater.sql(setup, folder / "data", RISK, folder / "risk.csv")}

    return Contender("Headwater", measure, answers)


def by_numpy(setup: Setup, source: pathlib.Path, kind: str, form: str) -> Contender:
    """numpy: a matrix product, or each term rounded as Headwater does."""
    script = cache.BENCH / "python/numpy_risk.py"
    command = [setup.python, script, form, kind, source, setup.workers]
    name = {"product": "numpy, matrix product", "rounded": "numpy, rounded terms"}[form]
    return reporting(setup, name, command, UNROUNDED if form == "product" else {})


def reporting(setup: Setup, name: str, command: list, near: dict | None = None) -> Contender:
    """A program that times itself, and writes its answer into the folder that it is given last."""

    def measure(folder: pathlib.Path) -> Cost:
        return setup.runner.run_reporting([*command, folder])

    return Contender(name, measure, lambda folder: files(folder, TABLES), near or {})
