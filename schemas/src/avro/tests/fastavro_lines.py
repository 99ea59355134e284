"""Writes and reads Avro with fastavro, one object of standard input a line.

write: {"schema": ..., "record": ...} -> the record in hexadecimal; {"decimal": text} and {"date": text} stand for such values
read:  {"schema": ..., "hex": ...} -> the record as JSON, bytes in hexadecimal
"""

import datetime
import io
import json
import sys
from decimal import Decimal

import fastavro


def made(value):
    if isinstance(value, dict):
        if value.keys() == {"decimal"}:
            return Decimal(value["decimal"])
        if value.keys() == {"date"}:
            return datetime.date.fromisoformat(value["date"])
        return {name: made(inner) for name, inner in value.items()}
    return value


def write(line):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(line["schema"]), made(line["record"]))
    return out.getvalue().hex()


def read(line):
    source = io.BytesIO(bytes.fromhex(line["hex"]))
    record = fastavro.schemaless_reader(source, fastavro.parse_schema(line["schema"]))
    assert not source.read(), "bytes follow the record"
    return json.dumps(record, default=lambda value: value.hex() if isinstance(value, bytes) else str(value))


action = {"write": write, "read": read}[sys.argv[1]]
for text in sys.stdin:
    print(action(json.loads(text)))
