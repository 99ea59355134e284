"""Reads exported tables with Spark, and compares every row and column with the table's CSV. Prints a line for each that is the same.

Exit code 3: Spark did not start, because there is no Java, or Delta's jars could not be fetched.
"""

import csv
import datetime
import decimal
import pathlib
import sys

from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

folder, *tables = sys.argv[1:]
OPTIONS = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": False,
    "spark.ui.showConsoleProgress": False,
    "spark.sql.codegen.wholeStage": False,
    "spark.sql.shuffle.partitions": 1,
    "spark.databricks.delta.snapshotPartitions": 1,
    # Spark's times have microseconds. As numbers it reads the nanoseconds.
    "spark.sql.legacy.parquet.nanosAsLong": True,
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Delta's jars, from Maven Central, once, into the folder of the packages. What they need of others Spark has.
    "spark.jars.packages": "io.delta:delta-spark_4.2_2.13:4.4.0",
    "spark.jars.excludes": "com.*:*,commons-*:*,io.airlift:*,io.unitycatalog:*,javax.*:*,org.*:*",
    "spark.jars.ivy": str(pathlib.Path(sys.prefix) / "ivy"),
}


def text(value):
    if isinstance(value, decimal.Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def nanoseconds(time):
    whole, _, fraction = time.removesuffix("Z").partition(".")
    seconds = int(datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0"))


builder = SparkSession.builder.master("local[1]")
for name, value in OPTIONS.items():
    builder = builder.config(name, value)
try:
    session = builder.getOrCreate()
except PySparkRuntimeError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
for table in tables:
    with open(f"{folder}/{table}.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    parquet = session.read.parquet(f"{folder}/{table}.parquet")
    delta = session.read.format("delta").load(f"{folder}/{table}").selectExpr("* EXCEPT (ts)", "unix_micros(ts) AS ts")
    for kind, frame, unit in (("parquet", parquet, 1), ("delta", delta, 1000)):
        expected = sorted([row[name] if name != "ts" else str(nanoseconds(row["ts"]) // unit) for name in frame.columns] for row in rows)
        found = sorted([text(value) for value in row] for row in frame.collect())
        assert found == expected, f"{table} as {kind}: {found[:3]} is not {expected[:3]}"
        print(table, kind, len(found))
first = session.read.format("delta").option("versionAsOf", 0).load(f"{folder}/{tables[0]}")
print(tables[0], "delta, version 0", first.count())
