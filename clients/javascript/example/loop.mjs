// An app with a feed: each line of standard input is the visit of a user, and what the user gave ("ann click").
//   npm install && echo "ann click" | KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 node loop.mjs
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { decompress } from "fzstd";
import { draw, NewestControl, NewestPolicy } from "groundswell";
import kafkajs from "kafkajs";

const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = kafkajs;
// What groundswell writes is compressed with zstd. @kafkajs/zstd has to be compiled; fzstd need not.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: () => { throw new Error("this app reads zstd and does not write it"); },
  decompress: (buffer) => Buffer.from(decompress(buffer)),
});

const MODEL = "feed";
const ACTIONS = [{ id: "news" }, { id: "sport", features: { length: 3 } }, { id: "music" }];
const kafka = new Kafka({ brokers: process.env.KAFKA_BOOTSTRAP_SERVERS.split(","), logLevel: logLevel.ERROR });

// By which policy to act is switched on the topic `controls`.
const newest = new NewestPolicy(MODEL);
const controls = new NewestControl(MODEL);
const followed = { policies: newest, controls };

// kafkajs reads in groups only: one of its own for each instance, from the beginning.
const consumer = kafka.consumer({ groupId: `policies-${randomUUID()}` });
await consumer.connect();
await consumer.subscribe({ topics: Object.keys(followed), fromBeginning: true });
const admin = kafka.admin();
await admin.connect();
const unread = new Map(); // by topic, its end
for (const topic of Object.keys(followed)) {
  const [{ low, high }] = await admin.fetchTopicOffsets(topic);
  if (low !== high) unread.set(topic, BigInt(high));
}
await admin.disconnect();
await new Promise((readToTheirEnds) => {
  if (unread.size === 0) readToTheirEnds(); // without a policy, apps choose uniformly at random
  consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic, message }) => {
      await followed[topic].offer(message);
      if (BigInt(message.offset) + 1n >= unread.get(topic)) unread.delete(topic);
      if (unread.size === 0) readToTheirEnds();
    },
  });
});
await controls.readToItsEnd();

const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
await producer.connect();

async function send(topic, message) {
  try {
    await producer.send({ topic, messages: [{ key: message.impression_id, value: JSON.stringify(message) }] });
  } catch (error) {
    console.error(`not sent: ${error.message}`); // what Kafka refuses is lost, and nothing else with it
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [user, ...signals] = line.trim().split(/\s+/);
  const context = { user, returning: true, hour: 9 };
  const { policy, mode, side } = controls.acting.chosen(context, newest.policy); // it may be another for the next
  const probabilities = policy.probabilities(context, ACTIONS);
  const [impression_id, now] = [randomUUID(), Date.now()];
  await send("impressions", {
    schema_version: 1, impression_id, occurred_at: now, model: MODEL, context, actions: ACTIONS,
    chosen: draw(probabilities, Math.random()), probabilities, policy_version: policy.version,
    ...(mode !== null && mode !== "online" && { mode }), ...(side !== null && { side }),
  });
  for (const signal of signals) {
    const feedback_id = `${impression_id}-${signal}`;
    await send("feedback", { schema_version: 1, impression_id, feedback_id, occurred_at: now + 1, signal });
  }
}
await producer.disconnect();
await consumer.disconnect();
