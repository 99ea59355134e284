"""Writes a CSV of Headwater as Parquet with the table's types: csv_to_parquet.py CSV TYPES PARQUET

TYPES is a JSON object of SQL types by column, as DESCRIBE gives them.
"""

import json
import re
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

TYPES = {
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "DOUBLE": pa.float64(),
    "INT": pa.int32(),
    "TIMESTAMP(ns, UTC)": pa.timestamp("ns", "UTC"),
    "VARCHAR": pa.string(),
}


def arrow_type(name: str) -> pa.DataType:
    """The type of a column."""
    decimal = re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", name)
    if decimal:
        return pa.decimal128(*map(int, decimal.groups()))
    if name not in TYPES:
        raise SystemExit(f"{name} is a type that no statement reads: add it to TYPES")
    return TYPES[name]


def main() -> None:
    source, types, target = sys.argv[1:]
    types = {column: arrow_type(name) for column, name in json.loads(types).items()}
    convert = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    table = pyarrow.csv.read_csv(source, convert_options=convert, parse_options=parse)
    pyarrow.parquet.write_table(table, target, compression="zstd")


if __name__ == "__main__":
    main()
