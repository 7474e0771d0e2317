import assert from "node:assert/strict";
import test from "node:test";
import { shortIds } from "../../../src/core/text/short_ids.ts";

const A = "01938f2c-7d3e-7000-8000-5b1c0a7e0001";
const B = "01938f2c-7d3e-7001-8000-5b1c0a7e0002";

test("shortIds() shows the last eight characters if they differ", () => {
  const short = shortIds([A, B, A]);
  assert.deepEqual([A, B].map(short), ["0a7e0001", "0a7e0002"]);
});

test("shortIds() shows as many as tell ids apart, and never one that begins with a dash", () => {
  const one = shortIds([A, "01938f2c-7d3e-7000-8000-5b2c0a7e0001"]);
  assert.equal(one(A), "1c0a7e0001");
  const other = shortIds([A, "01938f2c-7d3e-7000-8001-5b1c0a7e0001"]);
  assert.equal(other(A), "0-5b1c0a7e0001");
  const first = shortIds([A, "11938f2c-7d3e-7000-8000-5b1c0a7e0001"]);
  assert.equal(first(A), A);
});

test("shortIds() leaves other texts whole", () => {
  const short = shortIds(["config:report:0", A]);
  assert.deepEqual(["config:report:0", A].map(short), ["config:report:0", "0a7e0001"]);
});
