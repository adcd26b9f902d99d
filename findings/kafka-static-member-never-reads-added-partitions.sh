#!/usr/bin/env bash
# Library: aiokafka 0.14.0 and confluent-kafka 2.11.1 (librdkafka), on Apache Kafka 4.3.1, classic group protocol.
# Guess: a consumer that starts reads all partitions of its topic; one that runs notices added partitions at its next look at
#   the metadata (here every 2 s). A static member (group.instance.id, KIP-345) only saves a rebalance when it comes back soon.
# Seen: a group's only static member that was away while its topic grew from 2 to 4 partitions gets its old assignment of 2 when it
#   comes back within the session's time-out, and keeps it: the group knows the leader by the member id of before, so the
#   one that is back is a follower, makes no assignment, and no look at the metadata changes that. The same without an
#   instance id reads all four. So does a topic that was deleted when the last assignment was made: nobody reads it any more.
# Hurts: stop, add partitions, start again (the obvious order; every rolling deployment with static members): half of the events are
#   read by nobody, no error is logged, and the lag that is shown is that of the assigned partitions alone.
set -euo pipefail
tmp="$(mktemp -d)"
broker=""
trap '[ -z "$broker" ] || kill "$broker" 2> /dev/null || true; [ -z "$broker" ] || wait "$broker" 2> /dev/null || true; rm -rf "$tmp"' EXIT
cd "$tmp"
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B -Dmaven.repo.local="$tmp/repository" dependency:copy-dependencies -DoutputDirectory="$tmp/libs"
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check aiokafka==0.14.0 confluent-kafka==2.11.1
read -r port controller < <(python3.11 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*[one.getsockname()[1] for one in held])')
cat > server.properties <<PROPERTIES
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:$controller
listeners=CLIENT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$tmp/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
PROPERTIES
java -cp "libs/*" kafka.tools.StorageTool format --cluster-id 4L6g3nShT-eMCtK--X86sw --config server.properties > format.log 2>&1
java -Xmx384m -XX:+UseSerialGC -cp "libs/*" kafka.Kafka server.properties > broker.log 2>&1 &
broker=$!
for _ in $(seq 300); do
  if (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then break; fi
  sleep 0.2
done
"$tmp/venv/bin/python" - "127.0.0.1:$port" 2> client.log <<'PYTHON' || { tail -5 client.log >&2; exit 1; }
import asyncio
import sys
import time
from importlib.metadata import version

import confluent_kafka
from aiokafka import AIOKafkaConsumer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

SERVERS = sys.argv[1]
BEFORE, AFTER = 5, 20  # seconds
admin = AdminClient({"bootstrap.servers": SERVERS})


def wait_for(topic, partitions):
    for _ in range(100):
        try:
            known = admin.list_topics(topic, timeout=1).topics[topic].partitions
        except confluent_kafka.KafkaException:
            known = {}  # the broker still starts
        if len(known) == partitions:
            return
        time.sleep(0.2)
    sys.exit(f"{topic} has no {partitions} partitions")


def of_aiokafka(topic, instance, seconds):
    async def run():
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=SERVERS, group_id=topic, group_instance_id=instance,
            session_timeout_ms=45_000, metadata_max_age_ms=2_000,
        )
        await consumer.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await consumer.getmany(timeout_ms=200)
        found = sorted(one.partition for one in consumer.assignment())
        await consumer.stop()
        return found

    return asyncio.run(run())


def of_confluent(topic, instance, seconds):
    settings = {
        "bootstrap.servers": SERVERS, "group.id": topic, "session.timeout.ms": 45_000,
        "topic.metadata.refresh.interval.ms": 2_000,
    }
    consumer = confluent_kafka.Consumer(settings | ({"group.instance.id": instance} if instance else {}))
    consumer.subscribe([topic])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        consumer.poll(0.2)
    found = sorted(one.partition for one in consumer.assignment())
    consumer.close()
    return found


as_seen = True
for library, assigned in (("aiokafka", of_aiokafka), ("confluent-kafka", of_confluent)):
    print(library, version(library))
    for instance, expected in ((None, [0, 1, 2, 3]), ("one", [0, 1])):
        topic = f"{library}-{instance}"
        admin.create_topics([NewTopic(topic, 2, 1)], operation_timeout=30)[topic].result()
        wait_for(topic, 2)
        before = assigned(topic, instance, BEFORE)
        admin.create_partitions([NewPartitions(topic, 4)], operation_timeout=30)[topic].result()
        wait_for(topic, 4)
        after = assigned(topic, instance, AFTER)
        print(f"  instance {instance}: reads {before}; of four, {AFTER} s after it came back: {after}")
        as_seen = as_seen and before == [0, 1] and after == expected
sys.exit(0 if as_seen else "not as recorded")
PYTHON
