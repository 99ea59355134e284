"""DuckDB over Parquet files: duckdb_session.py FOLDER THREADS TIMES QUERY OUT"""

import pathlib
import sys

import duckdb
import sessions

folder, threads, times, query, out = sys.argv[1:]
connection = duckdb.connect(config={"threads": int(threads)})
connection.execute("SET TimeZone = 'UTC'")
for path in pathlib.Path(folder).glob("*.parquet"):
    connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM read_parquet('{path}')")
answer = connection.execute(query)
sessions.write(out, [column[0] for column in answer.description], answer.fetchall())
sessions.report(lambda: connection.execute(query).fetchall(), int(times))
