// An app with a feed: each line of standard input is the visit of a user, and what the user gave ("ann click").
//   npm install && echo "ann click" | KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 node loop.mjs
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { decompress } from "fzstd";
import { draw, NewestPolicy } from "groundswell";
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

const newest = new NewestPolicy(MODEL);

// kafkajs reads in groups only: one of its own for each instance, from the beginning.
const consumer = kafka.consumer({ groupId: `policies-${randomUUID()}` });
await consumer.connect();
await consumer.subscribe({ topic: "policies", fromBeginning: true });
const admin = kafka.admin();
await admin.connect();
const [{ high }] = await admin.fetchTopicOffsets("policies");
await admin.disconnect();
await new Promise((readToItsEnd) => {
  if (high === "0") readToItsEnd(); // without a policy, apps choose uniformly at random
  consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      await newest.offer(message);
      if (BigInt(message.offset) + 1n >= BigInt(high)) readToItsEnd();
    },
  });
});

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
  const { policy } = newest; // it may be a newer one for the next
  const probabilities = policy.probabilities(context, ACTIONS);
  const [impression_id, now] = [randomUUID(), Date.now()];
  await send("impressions", {
    schema_version: 1, impression_id, occurred_at: now, model: MODEL, context, actions: ACTIONS,
    chosen: draw(probabilities, Math.random()), probabilities, policy_version: policy.version,
  });
  for (const signal of signals) {
    const feedback_id = `${impression_id}-${signal}`;
    await send("feedback", { schema_version: 1, impression_id, feedback_id, occurred_at: now + 1, signal });
  }
}
await producer.disconnect();
await consumer.disconnect();
