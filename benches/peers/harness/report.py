"""The tables, and what was run where."""

import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys

from . import cache
from .measure import Cost
from .workload import Setup, Workload

LEGEND = "Times are minimum / median; x is the median as a multiple of Headwater's."


def table(measured: list[tuple[Workload, dict[str, list[Cost]]]]) -> str:
    """A table of workloads that share a title, in Markdown; `LEGEND` explains it."""
    first, _ = measured[0]
    unit, _ = first.unit
    inside = " (measured inside the programs)" if first.inside else ""
    lines = [
        f"\n### {first.title}{inside}\n",
        f"| | | CPU, {unit} | x | wall, {unit} | x | peak MiB | rounds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for workload, costs in measured:
        ours = costs[workload.contenders[0].name]
        lines += [
            line([workload.name, name], workload, theirs, ours) for name, theirs in costs.items()
        ]
    return "\n".join(lines)


def line(cells: list[str], workload: Workload, theirs: list[Cost], ours: list[Cost]) -> str:
    """A contender's row."""
    _, in_a_second = workload.unit
    for field in ("cpu_s", "wall_s"):
        times, base = values(theirs, field), statistics.median(values(ours, field))
        median = statistics.median(times)
        cells.append(f"{digits(min(times) * in_a_second)} / {digits(median * in_a_second)}")
        cells.append(f"{digits(median / base)}" if base > 0 else "-")
    cells += [f"{max(values(theirs, 'peak_mib'))}", f"{len(theirs)}"]
    return f"| {' | '.join(cells)} |"


def values(costs: list[Cost], field: str) -> list[float]:
    """One figure of each round."""
    return [getattr(cost, field) for cost in costs]


def digits(number: float) -> str:
    """Three digits that matter."""
    places = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2 if abs(number) >= 0.1 else 4
    return f"{number:.{places}f}"


def circumstances(setup: Setup, command: list) -> str:
    """The command, the machine and the versions."""
    facts = {
        "command": shlex.join(["benches/peers/run", *command]),
        "machine": f"{processor()}, {os.cpu_count()} cores, {memory_gib()} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load at the beginning": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "headwater": f"{said(setup.headwater, '--version')}, {profile_of(setup.headwater)}",
        "revision": revision(),
        "toolchain": f"{said('rustc', '--version')}; {java()}; Python {platform.python_version()}",
        "peers": ", ".join(peers()),
        "workers or threads of each": str(setup.workers),
    }
    return "\n".join(f"- {name}: {fact}" for name, fact in facts.items())


def said(*command) -> str:
    """The first line that a command prints."""
    try:
        done = subprocess.run(command, text=True, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return next(iter((done.stdout or done.stderr).splitlines()), "")


def revision() -> str:
    """The revision of the tree that is checked out, and whether something was changed."""
    git = ["git", "-C", cache.ROOT]
    changed = " with changes" if said(*git, "status", "--porcelain") else ""
    return said(*git, "rev-parse", "--short", "HEAD") + changed


def profile_of(binary: pathlib.Path) -> str:
    """How a binary was built, from where cargo put it."""
    if os.environ.get("HEADWATER"):
        return f"given as HEADWATER, from a folder called {binary.parent.name}"
    return f"profile {'dev' if binary.parent.name == 'debug' else binary.parent.name}"


def java() -> str:
    """Java's version."""
    return said("java", "--version")


def peers() -> list[str]:
    """The versions that the requirements and manifests pin."""
    lines = (cache.BENCH / "requirements.txt").read_text().splitlines()
    pinned = [line.replace("==", " ") for line in lines if "==" in line]
    pom = (cache.BENCH / "flink/pom.xml").read_text()
    pinned.append(f"Flink {pom.split('<flink.version>')[1].split('<')[0]}")
    lock = (cache.BENCH / "rust/Cargo.lock").read_text().split("[[package]]")
    crates = ("differential-dataflow", "timely", "matchcore", "lobster")
    for crate in crates:
        entry = next((part for part in lock if f'name = "{crate}"\n' in part), "")
        pinned.append(
            f"{crate} {entry.split('version = ')[1].split(chr(10))[0].strip(chr(34))}"
            if entry
            else crate
        )
    return pinned


def processor() -> str:
    """The processor's name."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory_gib() -> int:
    """The machine's memory."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def as_json(results: dict[str, dict[str, list[Cost]]], told: str) -> dict:
    """Every measurement."""
    costs = {
        w: {c: [vars(cost) for cost in costs] for c, costs in by.items()}
        for w, by in results.items()
    }
    return {"circumstances": told.splitlines(), "python": sys.version, "results": costs}
