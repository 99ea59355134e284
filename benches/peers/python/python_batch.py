"""Plain Python, one pass: python_batch.py positions|scores DATA THREADS OUT

Money is an integer of cents or half cents. There is one thread, whatever THREADS is.
"""

import collections
import json
import pathlib
import sys

TEN_MINUTES = 600 * 10**9
HOUR = 3600 * 10**9


def records(data: str, topic: str):
    """The records of a topic, partition by partition."""
    for path in sorted(pathlib.Path(data, topic).glob("*.jsonl")):
        with open(path, "rb") as lines:
            yield from map(json.loads, lines)


def cents(text: str) -> int:
    """A decimal text with two places, as an integer."""
    return int(text.replace(".", ""))


def decimal(number: int, places: int) -> str:
    """A decimal text of an integer with so many places."""
    digits = f"{abs(number):0{places + 1}d}"
    return f"{'-' if number < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def divided(number: int, by: int) -> int:
    """The quotient, rounded half to even."""
    if by < 0:
        number, by = -number, -by
    whole, rest = divmod(number, by)
    return whole + (2 * rest > by or (2 * rest == by and whole % 2 == 1))


def cost_after(quantity: int, cost: int, traded: int, price: int) -> int:
    """The cost of what is open after a trade; cost in billionths, price in cents."""
    left = quantity + traded
    if quantity == 0 or (quantity > 0) == (traded > 0):
        return cost + traded * price * 10**7
    if left == 0:
        return 0
    if (left > 0) == (quantity > 0):
        return divided(cost * left, quantity)
    return left * price * 10**7


def positions(data: str, out: pathlib.Path) -> None:
    """Holdings at average cost, their values, and the accounts' sums."""
    held, marks, accounts = {}, {}, {}
    for fill in records(data, "fills"):
        traded = int(fill["quantity"]) if fill["side"] == "buy" else -int(fill["quantity"])
        price = cents(fill["price"])
        key = fill["account_id"], fill["symbol"]
        quantity, cash, cost = held.get(key, (0, 0, 0))
        cost = cost_after(quantity, cost, traded, price)
        held[key] = quantity + traded, cash - traded * price, cost
    for quote in records(data, "market.quotes"):
        last = marks.get(quote["symbol"])
        if last is None or quote["ts"] >= last[0]:
            marks[quote["symbol"]] = quote["ts"], cents(quote["bid"]) + cents(quote["ask"])
    with open(out / "positions.csv", "w", encoding="utf-8") as file:
        file.write("account_id,symbol,quantity,cash_flow,average_price,market_value\n")
        for (account, symbol), (quantity, cash, cost) in held.items():
            value = quantity * marks[symbol][1]
            sums = accounts.setdefault(account, [0, 0])
            sums[0] += value
            sums[1] += cash
            average = decimal(divided(cost, quantity) if quantity else 0, 9)
            told = f"{quantity},{decimal(cash, 2)},{average},{decimal(value * 5, 3)}"
            file.write(f"{account},{symbol},{told}\n")
    with open(out / "accounts.csv", "w", encoding="utf-8") as file:
        file.write("account_id,net,cash\n")
        for account, (net, cash) in accounts.items():
            file.write(f"{account},{decimal(net * 5, 3)},{decimal(cash, 2)}\n")


def scores(data: str, out: pathlib.Path) -> None:
    """A score for each transaction."""
    windows = collections.defaultdict(collections.deque)
    with open(out / "scores.csv", "w", encoding="utf-8") as file:
        file.write("transaction_id,score\n")
        for record in records(data, "transactions"):
            window, ts = windows[record["account_id"]], record["ts"]
            while window and window[0] < ts - TEN_MINUTES:
                window.popleft()
            window.append(ts)
            score = 30 * (cents(record["amount"]) > 1_000_000)
            score += 20 * (ts // HOUR % 24 < 6) + 40 * (len(window) > 5)
            file.write(f"{record['transaction_id']},{score}\n")


if __name__ == "__main__":
    {"positions": positions, "scores": scores}[sys.argv[1]](sys.argv[2], pathlib.Path(sys.argv[4]))
