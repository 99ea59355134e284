"""Seeded inputs: JSON lines per topic and partition, as `--source log:DIR` reads them.

`python -m harness.inputs SPEC DIR` writes the input that the JSON text SPEC describes. It runs as a
process of its own: what numpy needs is not part of the harness's memory.
"""

import dataclasses
import json
import pathlib
import subprocess
import sys

from . import cache

SECOND = 10**9
# 2026-01-05T14:30:00Z, a Monday.
OPENING = 1_767_623_400 * SECOND
# 2026-01-05T05:54:00Z: seven percent of the next ninety minutes are before six.
EARLY = OPENING - OPENING % (86_400 * SECOND) + 354 * 60 * SECOND
DEPOSIT = 10_000_000
PARTITIONS = 2


@dataclasses.dataclass(frozen=True)
class Trading:
    """Fills of accounts in a book tree, and quotes."""

    fills: int
    fills_per_second: int
    accounts: int
    symbols: int
    symbols_of_account: int
    quotes: int
    quotes_from_s: int
    quotes_until_s: int
    seed: int = 7


@dataclasses.dataclass(frozen=True)
class Payments:
    """Card payments spread evenly over accounts and over `seconds`."""

    transactions: int
    accounts: int
    seconds: int = 5_400
    seed: int = 11


@dataclasses.dataclass(frozen=True)
class Risk:
    """One fill per position, closes for `days` returns, then prices that change by grid points."""

    accounts: int
    symbols: int
    symbols_of_account: int
    days: int
    one_steps: int
    all_steps: int
    seed: int = 13


KINDS = {kind.__name__: kind for kind in (Trading, Payments, Risk)}


def folder(name: str, spec, python: pathlib.Path) -> pathlib.Path:
    """The folder of an input in the cache; generated on first use."""
    text = json.dumps([type(spec).__name__, dataclasses.asdict(spec)])
    versions = cache.digest(
        text, pathlib.Path(__file__).read_text(), (cache.BENCH / "requirements.txt").read_text()
    )
    path = cache.peers() / "inputs" / f"{name}-{versions}"
    with cache.made(path) as making:
        if making:
            command = [python, "-m", "harness.inputs", text, making]
            subprocess.run(command, check=True, cwd=cache.BENCH)
    return path


def write(folder_, topic: str, partition: int, records) -> None:
    """Writes a partition."""
    path = folder_ / topic / f"{partition}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, separators=(",", ":")) + "\n" for record in records)


def cents(amount) -> str:
    """A decimal text of cents."""
    amount = int(amount)
    return f"{amount // 100}.{amount % 100:02d}"


def write_accounts(folder_, names: list, opened: int, **terms) -> None:
    """Writes the accounts, alternating between partitions."""
    for part in range(PARTITIONS):
        records = (
            {"type": "opened", "account_id": name, "customer_id": f"C-{name}", "currency": "USD"}
            | {key: value(number) if callable(value) else value for key, value in terms.items()}
            | {"ts": opened}
            for number, name in enumerate(names)
            if number % PARTITIONS == part
        )
        write(folder_, "accounts", part, records)


def book_path(number: int) -> str:
    """Ten desks of five books each."""
    return f"firm/d{number % 10}/b{number % 50}"


class Market:
    """Names, reference prices and who holds what."""

    def __init__(self, rng, accounts: int, symbols: int, symbols_of_account: int):
        import numpy as np

        self.symbols = [f"S{number:03d}" for number in range(symbols)]
        self.accounts = [f"A{number:04d}" for number in range(accounts)]
        self.reference = rng.integers(2_000, 20_000, symbols)
        chosen = [rng.choice(symbols, symbols_of_account, replace=False) for _ in range(accounts)]
        self.held = np.stack(chosen)

    def write(self, folder_) -> None:
        """Writes instruments, accounts and a deposit for each account."""
        instrument = {
            "asset_class": "equity",
            "currency": "USD",
            "tick_size": "0.01",
            "lot_size": "1",
        }
        priced = zip(self.symbols, self.reference)
        records = ({"symbol": s, **instrument, "reference_price": cents(p)} for s, p in priced)
        write(folder_, "instruments", 0, records)
        terms = {"account_type": "investment", "book": book_path}
        write_accounts(folder_, self.accounts, OPENING - SECOND, **terms)
        for part in range(PARTITIONS):
            records = (
                {
                    "transaction_id": f"D-{a}",
                    "account_id": a,
                    "type": "deposit",
                    "amount": str(DEPOSIT),
                }
                | {"currency": "USD", "ts": OPENING - SECOND // 2}
                for number, a in enumerate(self.accounts)
                if number % PARTITIONS == part
            )
            write(folder_, "transactions", part, records)

    def fill(
        self, number: int, account: int, symbol: int, buys: int, quantity: int, price: int, ts: int
    ) -> dict:
        """A fill; `price` in cents."""
        return {
            "type": "fill",
            "fill_id": f"F{number}",
            "account_id": self.accounts[account],
            "symbol": self.symbols[symbol],
            "side": "buy" if buys else "sell",
            "quantity": str(quantity),
            "price": cents(price),
            "ts": ts,
        }

    def quote(self, symbol: int, middle: int, half: int, ts: int) -> dict:
        """A quote; `middle` and `half` the spread in cents."""
        return {
            "symbol": self.symbols[symbol],
            "bid": cents(middle - half),
            "ask": cents(middle + half),
            "bid_size": "100",
            "ask_size": "100",
            "ts": ts,
        }


def trading(spec: Trading, folder_) -> None:
    """Writes fills at an even rate, a first quote for each symbol, then quotes at an even rate."""
    import numpy as np

    rng = np.random.default_rng(spec.seed)
    market = Market(rng, spec.accounts, spec.symbols, spec.symbols_of_account)
    market.write(folder_)
    n = spec.fills
    account = rng.integers(0, spec.accounts, n)
    symbol = market.held[account, rng.integers(0, spec.symbols_of_account, n)]
    buys, quantity = rng.integers(0, 2, n), rng.integers(1, 101, n)
    price = np.maximum(100, market.reference[symbol] + rng.integers(-200, 201, n))
    ts = OPENING + np.arange(n, dtype=np.int64) * (SECOND // spec.fills_per_second)
    for part in range(PARTITIONS):
        mine = np.nonzero(account % PARTITIONS == part)[0]
        columns = [c[mine].tolist() for c in (account, symbol, buys, quantity, price, ts)]
        write(folder_, "fills", part, (market.fill(*row) for row in zip(mine.tolist(), *columns)))

    first = [(OPENING - SECOND // 10, s) for s in range(spec.symbols)]
    times = np.linspace(spec.quotes_from_s, spec.quotes_until_s, spec.quotes, endpoint=False)
    times = (OPENING + (times * SECOND).astype(np.int64)).tolist()
    quotes = first + list(zip(times, rng.integers(0, spec.symbols, spec.quotes).tolist()))
    middle = market.reference[[s for _, s in quotes]] + rng.integers(-300, 301, len(quotes))
    half = rng.integers(1, 6, len(quotes))
    rows = list(zip(quotes, middle.tolist(), half.tolist()))
    for part in range(PARTITIONS):
        mine = (market.quote(s, m, h, t) for (t, s), m, h in rows if s % PARTITIONS == part)
        write(folder_, "market.quotes", part, mine)


def payments(spec: Payments, folder_) -> None:
    """Writes transactions at an even rate; times are whole milliseconds, each used once."""
    import numpy as np

    n, rng = spec.transactions, np.random.default_rng(spec.seed)
    names = [f"B{number:05d}" for number in range(spec.accounts)]
    write(
        folder_, "customers", 0, ({"customer_id": f"C-{name}", "timezone": "UTC"} for name in names)
    )
    write_accounts(
        folder_, names, EARLY - SECOND, account_type="credit", overdraft_limit="1000000000"
    )
    account = rng.integers(0, spec.accounts, n)
    amount = np.round(np.exp(rng.normal(4.5, 1.5, n)) * 100)
    amount = np.minimum(amount, 5_000_000).astype(np.int64) + 1
    milliseconds = np.arange(n, dtype=np.int64) * (spec.seconds * 1000) // n
    ts = EARLY + milliseconds * 10**6
    for part in range(PARTITIONS):
        mine = np.nonzero(account % PARTITIONS == part)[0]
        rows = zip(mine.tolist(), account[mine].tolist(), amount[mine].tolist(), ts[mine].tolist())
        write(folder_, "transactions", part, (payment(names, *row) for row in rows))


def payment(names: list, number: int, account: int, amount: int, ts: int) -> dict:
    """A card payment; `amount` in cents."""
    return {
        "transaction_id": f"T{number}",
        "account_id": names[account],
        "type": "payment",
        "amount": cents(amount),
        "currency": "USD",
        "channel": "card",
        "ts": ts,
    }


def risk(spec: Risk, folder_) -> None:
    """Writes three inputs: `base`, and after the same beginning `one` (a symbol's price at each of
    `one_steps` grid points) and `all` (all prices at each of `all_steps` grid points)."""
    import numpy as np

    rng = np.random.default_rng(spec.seed)
    market = Market(rng, spec.accounts, spec.symbols, spec.symbols_of_account)
    pairs = [(a, int(s)) for a in range(spec.accounts) for s in market.held[a]]
    buys, quantity = (
        rng.integers(0, 2, len(pairs)).tolist(),
        rng.integers(1, 101, len(pairs)).tolist(),
    )
    middle = (market.reference + rng.integers(-300, 301, spec.symbols)).tolist()
    steps = rng.normal(0, 0.012, (spec.symbols, spec.days + 1))
    closes = market.reference[:, None] * np.exp(np.cumsum(steps, axis=1)) / 100
    changes = {
        "base": [],
        "one": [(k, k * 5 % spec.symbols, 7 * (1 + k % 3)) for k in range(spec.one_steps)],
        "all": [(k, s, k + 1) for k in range(spec.all_steps) for s in range(spec.symbols)],
    }
    for name, moved in changes.items():
        here = folder_ / name
        market.write(here)
        rows = zip(range(len(pairs)), pairs, buys, quantity)
        price = market.reference.tolist()
        fills = [market.fill(k, a, s, b, q, price[s], OPENING + k) for k, (a, s), b, q in rows]
        for part in range(PARTITIONS):
            mine = (f for f in fills if int(f["account_id"][1:]) % PARTITIONS == part)
            write(here, "fills", part, mine)
        first = [market.quote(s, m, 2, OPENING - SECOND // 10) for s, m in enumerate(middle)]
        later = (
            market.quote(s, middle[s] + by, 2, OPENING + (k + 2) * SECOND + 5 + s)
            for k, s, by in moved
        )
        write(here, "market.quotes", 0, [*first, *later])
        write_closes(here, market.symbols, closes)


def write_closes(folder_, symbols: list, closes) -> None:
    """Writes the closes of the weekdays before the opening, oldest first."""
    import datetime

    day, dates = datetime.date(2026, 1, 4), []
    while len(dates) < closes.shape[1]:
        if day.weekday() < 5:
            dates.append(day.isoformat())
        day -= datetime.timedelta(days=1)
    records = (
        {"symbol": symbol, "date": date, "close": f"{closes[s, d]:.4f}"}
        for d, date in enumerate(reversed(dates))
        for s, symbol in enumerate(symbols)
    )
    write(folder_, "market.closes", 0, records)


def main() -> None:
    """Writes the input that the command line describes."""
    kind, fields = json.loads(sys.argv[1])
    writers = {"Trading": trading, "Payments": payments, "Risk": risk}
    writers[kind](KINDS[kind](**fields), pathlib.Path(sys.argv[2]))


if __name__ == "__main__":
    main()
