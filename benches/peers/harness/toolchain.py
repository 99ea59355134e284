"""What the benches run: fetched from package registries by name, or built, into the cache."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

from . import cache

REQUIREMENTS = cache.BENCH / "requirements.txt"
FLINK = cache.BENCH / "flink"
RUST = cache.BENCH / "rust"

# Flink serialises through the JDK's own classes.
OPENED = (
    "java.io",
    "java.lang",
    "java.lang.reflect",
    "java.math",
    "java.net",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
    "sun.nio.ch",
)


class ToolError(Exception):
    """Something that is needed is missing or could not be made."""


def say(text: str) -> None:
    """Progress goes to standard error; standard output has the tables alone."""
    print(f"peers: {text}", file=sys.stderr, flush=True)


def need(program: str, mend: str) -> str:
    """The path of a program of this machine."""
    found = shutil.which(program)
    if found is None:
        raise ToolError(f"{program} is missing: {mend}")
    return found


def checked(command: list, what: str, **options) -> str:
    """Runs a command to its end and returns what it printed."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False, **options)
    if done.returncode != 0:
        raise ToolError(
            f"{what}: `{' '.join(map(str, command[:4]))} …` ended with {done.returncode}"
        )
    return done.stdout


def python() -> pathlib.Path:
    """The interpreter of a virtual environment that has `requirements.txt`."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = f"venv-{version}-{cache.digest(REQUIREMENTS.read_text())}"
    folder = cache.peers() / name
    # A virtual environment knows its own path, so it is made in place and marked when whole.
    whole = folder / "whole"
    if not whole.exists():
        say(f"fetching the packages of requirements.txt from PyPI into {folder} (500 MB, once)")
        shutil.rmtree(folder, ignore_errors=True)
        checked([sys.executable, "-m", "venv", folder], "a virtual environment")
        pip = [folder / "bin/pip", "install", "--quiet", "--requirement", REQUIREMENTS]
        checked(pip, "the packages of requirements.txt")
        whole.touch()
    return folder / "bin/python"


def flink_libraries() -> pathlib.Path:
    """The folder of Flink's jars."""
    pom = (FLINK / "pom.xml").read_text()
    folder = cache.peers() / f"flink-{cache.digest(pom)}"
    with cache.made(folder) as making:
        if making:
            say(f"fetching Flink from Maven Central into {folder} (250 MB, once)")
            maven = need("mvn", "install Maven (Debian: apt-get install maven)")
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
            where = f"-DoutputDirectory={making}"
            checked([maven, "-q", "-B", "-f", FLINK / "pom.xml", *goal, where], "Flink")
    return folder


def flink_classes() -> pathlib.Path:
    """The folder of the compiled Flink jobs."""
    sources = sorted(FLINK.glob("src/main/java/**/*.java"))
    texts = [source.read_text() for source in (FLINK / "pom.xml", *sources)]
    folder = cache.peers() / f"flink-classes-{cache.digest(*texts)}"
    libraries = flink_libraries()
    with cache.made(folder) as making:
        if making:
            javac = need(
                "javac",
                "install a JDK, 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)",
            )
            command = [
                javac,
                "--release",
                "17",
                "-proc:none",
                "-cp",
                f"{libraries}/*",
                "-d",
                making,
            ]
            checked([*command, *sources], "the Flink jobs")
    return folder


def flink() -> list:
    """The command that runs a Flink job in one JVM; the job's arguments follow it."""
    java = need(
        "java", "install a JDK, 17 or newer (Debian: apt-get install openjdk-17-jdk-headless)"
    )
    opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    classpath = f"{flink_classes()}:{flink_libraries()}/*"
    return [java, "-Xmx6g", "-XX:+UseG1GC", *opened, "-cp", classpath, "headwater.peers.Job"]


def cargo_build(profile: str, manifest: pathlib.Path, target: pathlib.Path, *what: str) -> dict:
    """Builds with cargo; returns the path of each program by its name."""
    cargo = need("cargo", "install Rust")
    command = [cargo, "build", "--profile", profile, "--manifest-path", manifest, *what]
    command.append("--message-format=json-render-diagnostics")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    messages = map(json.loads, checked(command, str(manifest), env=environment).splitlines())
    built = [m for m in messages if m["reason"] == "compiler-artifact" and m.get("executable")]
    return {m["target"]["name"]: pathlib.Path(m["executable"]) for m in built}


def headwater(profile: str) -> pathlib.Path:
    """The binary under test: `HEADWATER`, or else built."""
    named = os.environ.get("HEADWATER")
    if named:
        path = pathlib.Path(named).resolve()
        if not os.access(path, os.X_OK):
            raise ToolError(
                f"HEADWATER is {named}, which is no program: give the path of the binary"
            )
        return path
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or cache.root() / "target")
    say(f"building headwater, profile {profile}, in {target}")
    return cargo_build(profile, cache.ROOT / "Cargo.toml", target, "-p", "headwater")["headwater"]


def rust_peers() -> dict:
    """The Rust programs of `rust/`, always optimised, by name."""
    target = cache.peers() / "target"
    say(f"building the Rust peers (crates from crates.io) in {target}")
    return cargo_build("release", RUST / "Cargo.toml", target)


def enter(module: str, arguments: list) -> None:
    """Replaces this process by a module of the harness in the virtual environment."""
    if sys.version_info < (3, 11):
        sys.exit("peers: Python is too old: install 3.11 or newer")
    try:
        interpreter = python()
    except ToolError as error:
        print(f"peers: {error}", file=sys.stderr)
        sys.exit(3)
    environment = {**os.environ, "PYTHONPATH": str(cache.BENCH), "PYTHONDONTWRITEBYTECODE": "1"}
    os.execve(interpreter, [str(interpreter), "-m", module, *arguments], environment)
