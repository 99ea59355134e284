"""Runs one program and measures it: CPU seconds, wall seconds, peak memory."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import threading
import time


class ProgramError(Exception):
    """A program failed or exceeded its limit."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a run took. `cpu_s` is user and system time of all threads."""

    cpu_s: float
    wall_s: float
    peak_mib: int

    def less(self, other: "Cost", parts: int) -> "Cost":
        """The part of a run beyond `other`, divided by `parts`; memory is the run's own."""
        return Cost(
            (self.cpu_s - other.cpu_s) / parts, (self.wall_s - other.wall_s) / parts, self.peak_mib
        )


@dataclasses.dataclass(frozen=True)
class Runner:
    """Runs programs below one folder, one at a time, each within `limit_s`."""

    work: pathlib.Path
    limit_s: int

    def run(
        self, command: list, folder: pathlib.Path | None = None, given: str = ""
    ) -> tuple[Cost, str]:
        """Runs to the end; returns the cost and what was printed. `given` is the standard input."""
        folder = folder or self.work
        printed, problems = self.work / "stdout", self.work / "stderr"
        asked = self.work / "stdin"
        asked.write_text(given, encoding="utf-8")
        with open(printed, "wb") as out, open(problems, "wb") as errors, open(asked, "rb") as stdin:
            began = time.monotonic()
            child = subprocess.Popen(
                list(map(str, command)),
                cwd=folder,
                stdin=stdin,
                stdout=out,
                stderr=errors,
                env=environment(),
            )
            code, usage, late = self.wait(child)
            wall = time.monotonic() - began
        if late or code != 0:
            why = f"exceeded the limit of {self.limit_s} s" if late else f"ended with {code}"
            told = (problems.read_text(errors="replace") + printed.read_text(errors="replace"))[
                -2_000:
            ]
            raise ProgramError(f"`{' '.join(map(str, command))[:300]}` {why}:\n{told}")
        cost = Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss // 1024)
        return cost, printed.read_text(encoding="utf-8")

    def run_reporting(self, command: list, folder: pathlib.Path | None = None) -> Cost:
        """Runs a program whose last line of output gives `cpu_s` and `wall_s` of the timed part."""
        cost, printed = self.run(command, folder)
        told = json.loads(printed.splitlines()[-1])
        return Cost(told["cpu_s"], told["wall_s"], cost.peak_mib)

    def wait(self, child: subprocess.Popen) -> tuple:
        """Waits for the child, and ends it at the limit or when the harness is interrupted."""
        late = threading.Event()

        def end() -> None:
            late.set()
            os.kill(child.pid, signal.SIGKILL)

        timer = threading.Timer(self.limit_s, end)
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            timer.cancel()
            child.kill()
            child.wait()
            raise
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        return child.returncode, usage, late.is_set()


def environment() -> dict:
    """The environment of what is timed: libraries choose their kernels, times are UTC."""
    left_out = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | {"TZ": "UTC", "LC_ALL": "C.UTF-8", "RUST_LOG": "warn"}
