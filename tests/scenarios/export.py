"""Reads exported tables with the programs that people use, and prints what each makes of them, a JSON object a line."""

import json
import os
import sys
from decimal import Decimal

import duckdb
import polars
import pyarrow
import pyarrow.compute
import pyarrow.feather
import pyarrow.parquet
from deltalake import DeltaTable

folder, table, column = sys.argv[1:]


def say(reader, rows, total):
    # A scale of nine digits everywhere: the digits that the tables have.
    print(json.dumps({"reader": reader, "rows": rows, "sum": f"{Decimal(total):.9f}"}))


def say_arrow(reader, read):
    say(reader, read.num_rows, pyarrow.compute.sum(read[column]).as_py())


say_arrow("pyarrow parquet", pyarrow.parquet.read_table(f"{folder}/{table}.parquet"))
say_arrow("pyarrow arrow", pyarrow.feather.read_table(f"{folder}/{table}.arrow"))
say("polars parquet", *polars.read_parquet(f"{folder}/{table}.parquet").select(polars.len(), polars.col(column).sum()).row(0))
say("polars arrow", *polars.read_ipc(f"{folder}/{table}.arrow").select(polars.len(), polars.col(column).sum()).row(0))
# Left to guess, DuckDB reads decimals of a CSV as floats.
for kind, source in (("parquet", f"'{folder}/{table}.parquet'"), ("csv", f"read_csv('{folder}/{table}.csv', all_varchar = true)")):
    query = f"SELECT COUNT(*), SUM(CAST({column} AS DECIMAL(38, 9))) FROM {source}"
    say(f"duckdb {kind}", *duckdb.sql(query).fetchall()[0])
delta = DeltaTable(f"{folder}/{table}")
say_arrow("deltalake", pyarrow.table(delta.to_pyarrow_dataset().to_table()))
first = DeltaTable(f"{folder}/{table}", version=0)
print(json.dumps({"reader": "deltalake, version 0", "rows": first.to_pyarrow_dataset().count_rows(), "versions": delta.version() + 1}))
# Ends without the destructors of the readers' thread pools: with four of them in one process, the script was once ended by
# "terminate called without an active exception".
sys.stdout.flush()
os._exit(0)
