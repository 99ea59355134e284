"""DataFusion over Parquet files: datafusion_session.py FOLDER THREADS TIMES QUERY OUT"""

import pathlib
import sys

import datafusion
import pyarrow as pa
import sessions

folder, threads, times, query, out = sys.argv[1:]
options = {
    "datafusion.execution.target_partitions": threads,
    "datafusion.execution.parquet.pushdown_filters": "true",
}
context = datafusion.SessionContext(datafusion.SessionConfig(options))
for path in pathlib.Path(folder).glob("*.parquet"):
    context.register_parquet(path.stem, str(path))
answer = context.sql(query)
table = pa.Table.from_batches(answer.collect(), schema=answer.schema())
columns = [column.cast(pa.string()).to_pylist() for column in table.columns]
sessions.write(out, table.column_names, zip(*columns))
sessions.report(lambda: context.sql(query).collect(), int(times))
