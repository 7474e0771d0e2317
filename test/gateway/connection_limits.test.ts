import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionLimits } from "../../src/gateway/connection_limits.ts";

test("connectionLimits() gives as many as a daemon holds where descriptors are plenty", () => {
  const most = { tcp: 1_000, unix: 256, http: 256 };
  assert.deepEqual(connectionLimits(1_048_576, 4), most);
  assert.deepEqual(connectionLimits(null, 4), most);
});

test("connectionLimits() leaves what the daemon and its workers need", () => {
  for (const [descriptors, workers] of [[1_024, 4], [1_024, 50], [512, 4], [4_096, 200]] as const) {
    const { tcp, unix, http } = connectionLimits(descriptors, workers);
    assert.ok(tcp + unix + http <= descriptors - 128 - 10 * workers, `${descriptors}, ${workers}`);
    assert.ok(tcp >= 16 && unix >= 16 && http >= 16);
  }
});

test("connectionLimits() lets a few in however few descriptors there are", () => {
  assert.deepEqual(connectionLimits(64, 100), { tcp: 16, unix: 16, http: 16 });
});
