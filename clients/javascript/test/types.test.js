// What is exported has a type, and what has a type is exported.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as exported from "../index.js";

const types = readFileSync(new URL("../index.d.ts", import.meta.url), "utf8");
const declared = (kind) => [...types.matchAll(new RegExp(`^export ${kind} (\\w+)`, "gm"))].map(([, name]) => name);

test("each export is declared, and nothing else", () => {
  assert.deepEqual([...declared("class"), ...declared("function")].sort(), Object.keys(exported).sort());
});
