// The golden corpus, in Node.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Policy } from "../index.js";
import { wrongControls, wrongDecisions, wrongDraws, wrongRecords } from "./corpus.js";

const corpus = (name) => JSON.parse(readFileSync(new URL(`../../corpus/${name}.json`, import.meta.url), "utf8"));

test("decisions are those of the corpus", async () => {
  assert.deepEqual(await wrongDecisions(corpus("decisions")), []);
});

test("draws are those of the corpus", () => {
  assert.deepEqual(wrongDraws(corpus("draws")), []);
});

test("policies are adopted and refused as in the corpus", async (t) => {
  t.mock.method(console, "warn", () => {});
  assert.deepEqual(await wrongRecords(corpus("records")), []);
});

test("controls are followed as in the corpus", async (t) => {
  t.mock.method(console, "warn", () => {});
  assert.deepEqual(await wrongControls(corpus("controls")), []);
});

test("without a policy all actions are equally likely", () => {
  assert.deepEqual(Policy.uniform.probabilities({ user: "ann" }, [{ id: "a" }, { id: "b" }]), [0.5, 0.5]);
  assert.equal(Policy.uniform.version, null);
  assert.throws(() => Policy.uniform.probabilities({}, []), RangeError);
});

test("nothing is made of a feature that no impression can hold", () => {
  const policy = new Policy({ bits: 8, bandit: { indices: [], values: [] }, exploration: { kind: "squarecb", parameter: 1 } });
  for (const value of [undefined, null, NaN, Infinity, 1n, ["a"], { a: 1 }]) {
    assert.throws(() => policy.probabilities({ user: value }, [{ id: "a" }]), TypeError);
  }
});
