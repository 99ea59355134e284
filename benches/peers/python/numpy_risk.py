"""numpy: numpy_risk.py product|rounded one|all DIR THREADS OUT

Timed, per step: the changed prices, the scenario P&L that follows, and VaR and expected shortfall
at three confidences for each scope that changed. `product` is a matrix product of all accounts and
all symbols; `rounded` rounds each held position's term to a whole millionth, as Headwater does.
With `one`, a price moves and only its holders' P&L is added to; with `all`, everything is computed
anew.
"""

import json
import os
import pathlib
import sys
import time

FORM, KIND, DATA, THREADS, OUT = sys.argv[1:]
# Read when numpy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = THREADS

import numpy as np  # noqa: E402

CONFIDENCES = ("0.95", "0.975", "0.99")
MILLIONTHS = 1e6


def records(data: pathlib.Path, topic: str):
    """The records of a topic, partition by partition."""
    for path in sorted((data / topic).glob("*.jsonl")):
        with open(path, "rb") as lines:
            yield from map(json.loads, lines)


def doubled_middle(quote: dict) -> int:
    """Twice the middle, in cents."""
    return int(quote["bid"].replace(".", "")) + int(quote["ask"].replace(".", ""))


class Portfolio:
    """Quantities, prices, returns and scenario P&L by account; the firm is the last row."""

    def __init__(self, data: pathlib.Path):
        base = data / "base"
        symbols = [record["symbol"] for record in records(base, "instruments")]
        self.index = {symbol: number for number, symbol in enumerate(symbols)}
        accounts = sum(1 for _ in records(base, "accounts"))
        self.quantity = np.zeros((accounts, len(symbols)), dtype=np.int64)
        for fill in records(base, "fills"):
            signed = int(fill["quantity"]) * (1 if fill["side"] == "buy" else -1)
            self.quantity[int(fill["account_id"][1:]), self.index[fill["symbol"]]] += signed
        self.middle = np.zeros(len(symbols), dtype=np.int64)
        for quote in records(base, "market.quotes"):
            self.middle[self.index[quote["symbol"]]] = doubled_middle(quote)
        self.returns = self.read_returns(base)
        self.held = [np.nonzero(row)[0] for row in self.quantity]
        self.pnl = np.zeros((accounts + 1, self.returns.shape[1]))
        self.measures = [np.zeros((accounts + 1, 2)) for _ in CONFIDENCES]

    def read_returns(self, base: pathlib.Path):
        """Daily returns by symbol, oldest first."""
        closes = {}
        for close in records(base, "market.closes"):
            closes.setdefault(close["symbol"], {})[close["date"]] = float(close["close"])
        by_date = [[price for _, price in sorted(closes[symbol].items())] for symbol in self.index]
        prices = np.array(by_date)
        return prices[:, 1:] / prices[:, :-1] - 1

    def steps(self, data: pathlib.Path) -> list:
        """Symbols and prices of each step: the quotes after the first of each symbol, by second."""
        steps = {}
        for number, quote in enumerate(records(data, "market.quotes")):
            if number >= len(self.index):
                step = steps.setdefault(quote["ts"] // 10**9, ([], []))
                step[0].append(self.index[quote["symbol"]])
                step[1].append(doubled_middle(quote))
        return [(np.array(symbols), np.array(middles)) for symbols, middles in steps.values()]

    def values(self, account, symbol):
        """Values in millionths: the exact value, once rounded to binary."""
        return self.quantity[account, symbol] * self.middle[symbol] * 5_000_000 / 1e9 * MILLIONTHS

    def revalue(self) -> None:
        """Computes everything anew."""
        if FORM == "product":
            every = slice(None)
            self.pnl[:-1] = self.values(every, every) @ self.returns
        else:
            for account, held in enumerate(self.held):
                terms = self.values(account, held)[:, None] * self.returns[held]
                self.pnl[account] = np.rint(terms).sum(axis=0)
        self.pnl[-1] = self.pnl[:-1].sum(axis=0)
        self.measure(np.arange(len(self.pnl)))

    def move_all(self, symbols, middles) -> None:
        """All prices move."""
        self.middle[symbols] = middles
        self.revalue()

    def move_one(self, symbols, middles) -> None:
        """A price moves."""
        symbol = symbols[0]
        holders = np.nonzero(self.quantity[:, symbol])[0]
        before = self.values(holders, symbol)[:, None] * self.returns[symbol]
        self.middle[symbol] = middles[0]
        after = self.values(holders, symbol)[:, None] * self.returns[symbol]
        change = after - before if FORM == "product" else np.rint(after) - np.rint(before)
        self.pnl[holders] += change
        self.pnl[-1] += change.sum(axis=0)
        self.measure(np.append(holders, len(self.pnl) - 1))

    def measure(self, scopes) -> None:
        """VaR (the order statistic) and expected shortfall (Rockafellar and Uryasev)."""
        ordered = np.sort(self.pnl[scopes], axis=1)
        count = ordered.shape[1]
        for measures, confidence in zip(self.measures, CONFIDENCES):
            tail = round((1 - float(confidence)) * count, 9)
            threshold = ordered[:, int(np.ceil(tail)) - 1]
            beyond = np.clip(threshold[:, None] - ordered, 0, None).sum(axis=1)
            measures[scopes, 0] = -threshold
            measures[scopes, 1] = -threshold + beyond / tail

    def write(self, out: pathlib.Path) -> None:
        """Writes the measures."""
        with open(out / "risk.csv", "w", encoding="utf-8") as file:
            file.write("scope,confidence,var,expected_shortfall\n")
            for confidence, measures in zip(CONFIDENCES, self.measures):
                for number, (var, shortfall) in enumerate(measures / MILLIONTHS):
                    firm = number == len(measures) - 1
                    scope = "book:firm" if firm else f"account:A{number:04d}"
                    file.write(f"{scope},{confidence},{var:.6f},{shortfall:.9f}\n")


def main() -> None:
    data = pathlib.Path(DATA)
    portfolio = Portfolio(data)
    steps = portfolio.steps(data / KIND)
    portfolio.revalue()
    move = {"one": portfolio.move_one, "all": portfolio.move_all}[KIND]
    cpu, wall = time.process_time(), time.perf_counter()
    for symbols, middles in steps:
        move(symbols, middles)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    portfolio.write(pathlib.Path(OUT))
    print(json.dumps({"cpu_s": cpu / len(steps), "wall_s": wall / len(steps)}))


if __name__ == "__main__":
    main()
