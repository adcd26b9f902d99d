"""An app with a feed: each line of standard input is the visit of a user.

It shows one of three articles by the newest policy and logs what it did, and a click where the user gave one:

    pip install groundswell kafka-python zstandard
    echo "ann click" | KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 python loop.py
"""

import json
import os
import random
import sys
import threading
import time
import uuid

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from groundswell import Action, NewestSnapshot, Policy

SERVERS = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
MODEL = "feed"
ACTIONS = [Action("news"), Action("sport", {"length": 3}), Action("music")]

newest = NewestSnapshot(MODEL)
read_to_its_end = threading.Event()


def follow_policies() -> None:
    """Read the topic from its beginning, and then on; each instance of an app on its own, without a group."""
    consumer = KafkaConsumer(bootstrap_servers=SERVERS, group_id=None, enable_auto_commit=False)
    place = TopicPartition("policies", 0)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    end = consumer.end_offsets([place])[place]
    while True:
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                newest.offer(record.key, record.value)
        if consumer.position(place) >= end:
            read_to_its_end.set()


threading.Thread(target=follow_policies, daemon=True).start()
read_to_its_end.wait(10)  # without a policy, apps choose uniformly at random
producer = KafkaProducer(bootstrap_servers=SERVERS, acks="all", linger_ms=5)


def send(topic: str, message: dict) -> None:
    """Send a message; what Kafka refuses is told and lost, and nothing else with it."""
    sent = producer.send(topic, key=message["impression_id"].encode(), value=json.dumps(message).encode())
    sent.add_errback(lambda error: print(f"not sent: {error}", file=sys.stderr))


for line in sys.stdin:
    user, *signals = line.split()
    policy = Policy(newest.snapshot)
    context = {"user": user, "returning": True, "hour": 9}
    probabilities = policy.probabilities(context, ACTIONS)
    chosen = random.choices(range(len(ACTIONS)), probabilities)[0]
    impression_id, now = uuid.uuid4().hex, round(time.time() * 1000)
    impression = {
        "schema_version": 1,
        "impression_id": impression_id,
        "occurred_at": now,
        "model": MODEL,
        "context": context,
        "actions": [{"id": action.id, "features": action.features} for action in ACTIONS],
        "chosen": chosen,
        "probabilities": probabilities,
    }
    if newest.snapshot is not None:
        impression["policy_version"] = policy.version
    send("impressions", impression)
    for signal in signals:
        feedback_id = f"{impression_id}-{signal}"
        feedback = {"schema_version": 1, "impression_id": impression_id, "feedback_id": feedback_id}
        send("feedback", {**feedback, "occurred_at": now + 1, "signal": signal})
producer.flush()
