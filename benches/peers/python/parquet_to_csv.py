"""Writes columns of a folder's Parquet files as one CSV: parquet_to_csv.py FOLDER COLUMNS OUT"""

import pathlib
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

folder, columns, out = sys.argv[1:]
names = columns.split(",")
# Files that a sink has not committed begin with a dot.
paths = sorted(
    path
    for path in pathlib.Path(folder).rglob("*")
    if path.is_file() and not path.name.startswith((".", "_"))
)
tables = [pyarrow.parquet.ParquetFile(path).read(columns=names) for path in paths]
pyarrow.csv.write_csv(pa.concat_tables(tables), out, pyarrow.csv.WriteOptions(quoting_style="none"))
