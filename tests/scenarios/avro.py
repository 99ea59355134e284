"""Produces and consumes Avro with Confluent's own client.

avro.py produce BROKERS REGISTRY FOLDER     each FOLDER/<topic>/0.jsonl as Avro, in order, to partition 0 of the topic
avro.py consume BROKERS REGISTRY TOPIC...   prints each committed record of the topics: {"topic": …, "key": …, "value": {…}}
"""

import datetime
import json
import pathlib
import sys
from decimal import Decimal

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

EPOCH = datetime.datetime(1970, 1, 1)
WORDS = {"side", "order_type", "time_in_force", "asset_class", "method", "status", "phase", "channel"}
DECIMALS = {
    "adv", "amount", "ask", "ask_size", "balance_after", "bid", "bid_size", "close", "display_quantity", "fee", "home_lat", "home_lon",
    "interest_rate", "lat", "lon", "lot_size", "multiplier", "overdraft_limit", "price", "price_band_bps", "quantity", "rate",
    "reference_price", "size", "stop_price", "threshold", "tick_size", "value", "warn_at",
}  # fmt: skip


def nanoseconds(text):
    """RFC 3339 in UTC, up to nanoseconds, as nanoseconds since 1970."""
    if isinstance(text, int):
        return text
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = (datetime.datetime.fromisoformat(whole) - EPOCH) // datetime.timedelta(seconds=1)
    return seconds * 10**9 + int(fraction.ljust(9, "0") or 0)


def rfc3339(nanos):
    seconds, fraction = divmod(nanos, 10**9)
    text = (EPOCH + datetime.timedelta(seconds=seconds)).isoformat()
    return text + (f".{fraction:09}".rstrip("0") if fraction else "") + "Z"


def field(name, values):
    """The Avro type of a field, and how its values are made: each logical type that producers use occurs."""
    if name in {"ts", "expires_at", "effective_from"}:
        if all(nanoseconds(value) % 10**6 == 0 for value in values):
            of, make = "timestamp-millis", lambda value: nanoseconds(value) // 10**6
        elif all(nanoseconds(value) % 1000 == 0 for value in values):
            of, make = "timestamp-micros", lambda value: nanoseconds(value) // 1000
        else:
            of, make = "timestamp-nanos", nanoseconds
        return {"type": "long", "logicalType": of}, make
    if name in {"date", "birth_date"}:
        return {"type": "int", "logicalType": "date"}, datetime.date.fromisoformat
    if name in WORDS:
        return {"type": "enum", "name": f"{name}_word", "symbols": sorted(set(values))}, str
    if name in DECIMALS:
        if sum(map(len, name)) % 2:
            return {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 12}, lambda value: Decimal(str(value))
        of = {"type": "fixed", "name": f"{name}_decimal", "size": 13, "logicalType": "decimal", "precision": 28, "scale": 9}
        return of, lambda value: Decimal(str(value))
    if all(isinstance(value, bool) for value in values):
        return "boolean", bool
    if all(isinstance(value, int) for value in values):
        return "long", int
    return "string", str


def produce(brokers, registry, folder):
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 5})
    for file in sorted(pathlib.Path(folder).glob("*/0.jsonl")):
        topic = file.parent.name
        events = [json.loads(line, parse_float=Decimal) for line in file.read_text().splitlines()]
        names = list(dict.fromkeys(name for event in events for name in event))
        names.sort(key=lambda name: name != "type")
        fields, make = [], {}
        for name in names:
            values = [event[name] for event in events if event.get(name) is not None]
            of, make[name] = field(name, values)
            fields.append({"name": name, "type": of} if len(values) == len(events) else {"name": name, "type": ["null", of], "default": None})
        schema = {"type": "record", "name": "Event", "namespace": topic.replace(".", "_"), "fields": fields}
        serialize = AvroSerializer(registry, json.dumps(schema))
        context = SerializationContext(topic, MessageField.VALUE)
        for event in events:
            made = {name: make[name](value) for name, value in event.items() if value is not None}
            while True:
                try:
                    producer.produce(topic, value=serialize(made, context), partition=0)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush()


def plain(value, of):
    """A value of an Avro type as Headwater writes it in JSON."""
    if value is None:
        return None
    if isinstance(of, list):
        return plain(value, next(branch for branch in of if branch != "null"))
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(of, dict):
        if of.get("logicalType") == "timestamp-nanos":
            return rfc3339(value)
        if of["type"] == "array":
            return [plain(item, of["items"]) for item in value]
        if of["type"] == "record":
            return {part["name"]: plain(value[part["name"]], part["type"]) for part in of["fields"]}
    return value


def consume(brokers, registry, topics):
    deserialize = AvroDeserializer(registry)
    for topic in topics:
        consumer = Consumer({
            "bootstrap.servers": brokers, "group.id": "avro.py", "enable.auto.commit": False, "enable.partition.eof": True,
            "isolation.level": "read_committed", "auto.offset.reset": "earliest",
        })  # fmt: skip
        consumer.assign([TopicPartition(topic, 0, 0)])
        schema = json.loads(registry.get_latest_version(f"{topic}-value").schema.schema_str)
        while True:
            message = consumer.poll(30)
            if message is None:
                sys.exit(f"{topic} has no end")
            if message.error():
                break
            value = deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))
            key = message.key().decode()
            print(json.dumps({"topic": topic, "key": key, "value": plain(value, schema)}))
        consumer.close()


action, brokers, url, *rest = sys.argv[1:]
client = SchemaRegistryClient({"url": url})
if action == "produce":
    produce(brokers, client, rest[0])
else:
    consume(brokers, client, rest)
