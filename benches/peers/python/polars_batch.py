"""polars, reading everything once: polars_batch.py positions|scores DATA THREADS OUT

Money is an integer of cents or half cents, and becomes a decimal in the answer.
"""

import os
import sys

WHAT, DATA, THREADS, OUT = sys.argv[1:]
# Read when polars is imported.
os.environ["POLARS_MAX_THREADS"] = THREADS

import polars as pl  # noqa: E402

TEN_MINUTES = "600000000001i"  # the window includes both of its ends


def read(topic: str, texts: str) -> pl.LazyFrame:
    """A topic: columns of text, and the time."""
    schema = {name: pl.String for name in texts.split()} | {"ts": pl.Int64}
    return pl.scan_ndjson(f"{DATA}/{topic}/*.jsonl", schema=schema)


def cents(column: str) -> pl.Expr:
    """A decimal text with two places, as an integer."""
    return pl.col(column).str.replace(".", "", literal=True).cast(pl.Int64)


def divided(column: str, by: int) -> pl.Expr:
    """An exact decimal of an integer column."""
    return (
        (pl.col(column).cast(pl.Decimal(38, 6)) / pl.lit(by).cast(pl.Decimal(38, 0)))
        .cast(pl.Decimal(38, 6))
        .alias(column)
    )


def positions() -> None:
    """Holdings, their values, and the accounts' sums."""
    fills = read("fills", "type fill_id account_id symbol side quantity price")
    quotes = read("market.quotes", "symbol bid ask bid_size ask_size")
    marks = (
        quotes.sort("ts")
        .group_by("symbol")
        .last()
        .select("symbol", mark=cents("bid") + cents("ask"))
    )
    whole = pl.col("quantity").cast(pl.Int64)
    signed = pl.when(pl.col("side") == "buy").then(whole).otherwise(-whole)
    trades = fills.select("account_id", "symbol", quantity=signed, price=cents("price"))
    cash = -(pl.col("quantity") * pl.col("price")).sum()
    held = trades.group_by("account_id", "symbol").agg(pl.col("quantity").sum(), cash_flow=cash)
    valued = held.join(marks, on="symbol").select(
        "account_id",
        "symbol",
        "quantity",
        "cash_flow",
        market_value=pl.col("quantity") * pl.col("mark"),
    )
    valued = valued.collect()
    sums = {"net": pl.col("market_value").sum(), "cash": pl.col("cash_flow").sum()}
    accounts = valued.group_by("account_id").agg(**sums)
    exact = [divided("cash_flow", 100), divided("market_value", 200)]
    valued.with_columns(exact).write_csv(f"{OUT}/positions.csv")
    accounts.with_columns(divided("net", 200), divided("cash", 100)).write_csv(
        f"{OUT}/accounts.csv"
    )


def scores() -> None:
    """A score for each transaction."""
    records = read("transactions", "transaction_id account_id type amount currency channel")
    chosen = records.select("transaction_id", "account_id", "ts", amount=cents("amount"))
    ordered = chosen.sort("account_id", "ts").collect()
    window = ordered.rolling("ts", period=TEN_MINUTES, group_by="account_id").agg(count=pl.len())
    rules = [
        (pl.col("amount") > 1_000_000, 30),
        (pl.col("ts") // 3_600_000_000_000 % 24 < 6, 20),
        (pl.col("count") > 5, 40),
    ]
    score = sum(points * fired.cast(pl.Int64) for fired, points in rules)
    scored = ordered.with_columns(window["count"]).select("transaction_id", score=score)
    scored.write_csv(f"{OUT}/scores.csv")


if __name__ == "__main__":
    {"positions": positions, "scores": scores}[WHAT]()
