"""Folders of the cache, which lies outside the tree."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import tempfile

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent.parent


def root() -> pathlib.Path:
    """The project's cache, shared with `scripts/kafka` and `.ci/run`."""
    named = os.environ.get("HEADWATER_CACHE")
    if named:
        return pathlib.Path(named).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base).resolve() / "headwater"


def peers() -> pathlib.Path:
    """The part of the cache that belongs to these benches."""
    return root() / "peers"


def digest(*parts: str) -> str:
    """Twelve hexadecimal digits that name what was made from `parts`."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@contextlib.contextmanager
def made(folder: pathlib.Path):
    """Yields a folder to fill, or None if `folder` exists. It appears under its name when whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            yield None
            return
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as parent:
            making = pathlib.Path(parent) / "made"
            making.mkdir()
            yield making
            making.rename(folder)
