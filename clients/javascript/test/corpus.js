// What of the corpus comes out otherwise here, as texts: nothing, if all is well. Runs in Node and in browsers.
import { placeOf } from "../canary.js";
import { draw, NewestControl, NewestPolicy, Policy } from "../index.js";

const UTF8 = new TextEncoder();

/** Probabilities of softmax may be 1e-12 off, for exp is; all else is the same to the bit. */
function same(found, expected, exact) {
  return found.length === expected.length &&
    found.every((one, at) => (exact ? Object.is(one, expected[at]) : Math.abs(one - expected[at]) <= 1e-12));
}

const differs = (what, found, expected) => `${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`;

export async function wrongDecisions({ policies, contexts, actions, decisions }) {
  const wrong = [];
  const read = {};
  for (const [name, document] of Object.entries(policies)) {
    const newest = new NewestPolicy("feed");
    if (!(await newest.offer({ key: UTF8.encode("feed"), value: UTF8.encode(document) }))) wrong.push(`${name}: refused`);
    read[name] = { policy: newest.policy, exact: JSON.parse(document).exploration.kind !== "softmax" };
  }
  for (const one of decisions) {
    const { policy, exact } = read[one.policy];
    const told = `${one.policy}, ${one.context}, ${one.actions}`;
    const asked = [contexts[one.context], actions[one.actions]];
    const scores = policy.scores(...asked);
    const probabilities = policy.probabilities(...asked);
    if (!same(scores, one.scores, true)) wrong.push(differs(`scores of ${told}`, scores, one.scores));
    if (!same(probabilities, one.probabilities, exact)) wrong.push(differs(told, probabilities, one.probabilities));
    for (const [u, index] of one.draws) {
      const drawn = draw(probabilities, u);
      if (drawn !== index) wrong.push(differs(`${told}, drawn by ${u}`, drawn, index));
    }
  }
  return wrong;
}

export function wrongDraws(draws) {
  return draws.flatMap((one) =>
    one.draws
      .filter(([u, index]) => draw(one.probabilities, u) !== index)
      .map(([u, index]) => differs(`${one.probabilities} by ${u}`, draw(one.probabilities, u), index)));
}

export async function wrongRecords(sequences) {
  const wrong = [];
  for (const { name, model, trusted, records, adopted, refused, version } of sequences) {
    const newest = new NewestPolicy(model, { trusted });
    // Offered at once: they are to be taken in one after the other all the same.
    const found = await Promise.all(records.map((record) => newest.offer(asRead(record))));
    const [is, expected] = [[found, newest.refused, newest.policy.version], [adopted, refused, version]];
    if (JSON.stringify(is) !== JSON.stringify(expected)) wrong.push(differs(name, is, expected));
  }
  return wrong;
}

export async function wrongControls({ newest, contexts, actions, places, sequences }) {
  const wrong = [];
  for (const { model, feature, value, place } of places) {
    const found = placeOf(model, feature, value);
    if (found !== place) wrong.push(differs(`the place of ${feature}=${value} in ${model}`, found, place));
  }
  const published = new NewestPolicy("feed");
  await published.offer({ key: UTF8.encode("feed"), value: UTF8.encode(newest) });
  for (const told of sequences) {
    const controls = new NewestControl(told.model, { trusted: told.trusted });
    const policy = told.newest ? published.policy : Policy.uniform;
    // At once, too.
    await Promise.all(told.records.map((record) => controls.offer(asRead(record))));
    if (told.to_the_end) await controls.readToItsEnd();
    const [is, expected] = [[controls.refused, controls.acting.control?.version ?? null], [told.refused, told.control]];
    if (JSON.stringify(is) !== JSON.stringify(expected)) wrong.push(differs(told.name, is, expected));
    for (const one of told.decisions) {
      const { policy: by, mode, side } = controls.acting.chosen(contexts[one.context], policy);
      const found = { context: one.context, mode, side, policy_version: by.version, probabilities: by.probabilities(contexts[one.context], actions) };
      if (JSON.stringify(found) !== JSON.stringify(one)) wrong.push(differs(told.name, found, one));
    }
  }
  return wrong;
}

function asRead({ key, value = null, value_base64, signature }) {
  const binary = value_base64 === undefined ? null : Uint8Array.from(atob(value_base64), (one) => one.charCodeAt(0));
  const headers = signature === undefined ? {} : { signature: Uint8Array.from(signature.match(/../g) ?? [], (hex) => parseInt(hex, 16)) };
  return { key: key === null ? null : UTF8.encode(key), value: binary ?? (value === null ? null : UTF8.encode(value)), headers };
}
