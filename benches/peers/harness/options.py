"""The command line. Standard library alone: it is read before anything is fetched."""

import argparse

WORKLOADS = ("A1", "A2", "Bu", "book", "var", "sql")

EPILOG = """\
Environment:
  HEADWATER        the binary under test; without it, it is built with --profile
  HEADWATER_CACHE  where everything that is fetched, built and generated is kept
                   (default: ${XDG_CACHE_HOME:-~/.cache}/headwater)

Exit codes: 0 results are equal and the tables are printed; 1 results differ, or a program failed
or exceeded its limit; 2 wrong usage; 3 something is missing on this machine.
"""


def parse(arguments: list) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="benches/peers/run",
        description="Times Headwater beside its peers, in turns; checks that results are equal.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick", action="store_const", dest="size", const="quick", help="small inputs, one round"
    )
    size.add_argument(
        "--tenth", action="store_const", dest="size", const="tenth", help="a tenth of each input"
    )
    parser.add_argument(
        "--rounds", type=positive, help="rounds in turns (default 3; with --quick 1)"
    )
    parser.add_argument(
        "--workers", type=positive, default=1, help="workers or threads of each program (default 1)"
    )
    parser.add_argument(
        "--profile",
        choices=("release", "dev"),
        default="release",
        help="cargo profile of headwater",
    )
    parser.add_argument(
        "--only", type=names(WORKLOADS), metavar="NAMES", help=f"some of {','.join(WORKLOADS)}"
    )
    parser.add_argument(
        "--peers",
        type=lambda text: text.split(","),
        metavar="NAMES",
        help="only these peers (a part of the name is enough)",
    )
    parser.add_argument(
        "--limit",
        type=positive,
        default=1200,
        metavar="SECONDS",
        help="no program runs longer (default 1200)",
    )
    parser.add_argument(
        "--budget",
        type=positive,
        default=120,
        metavar="MINUTES",
        help="no round begins later (default 120)",
    )
    parser.add_argument(
        "--prepare", action="store_true", help="fetch, build and generate; time nothing"
    )
    parser.add_argument("--json", metavar="FILE", help="also write every measurement to FILE")
    parser.set_defaults(size="full")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.size == "quick" else 3)
    options.only = options.only or list(WORKLOADS)
    return options


def positive(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


def names(known: tuple):
    """A parser of comma-separated names."""

    def parse_names(text: str) -> list:
        given = text.split(",")
        unknown = [name for name in given if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{','.join(unknown)}: give some of {','.join(known)}")
        return given

    return parse_names
