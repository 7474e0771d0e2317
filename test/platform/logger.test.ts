import assert from "node:assert/strict";
import { test } from "node:test";
import { SecretMask } from "../../src/core/text/secret_mask.ts";
import { createLogger } from "../../src/platform/logger.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

function written(format: "text" | "json", mask?: SecretMask): string {
  let text = "";
  const logger = createLogger({
    clock: new SimClock(),
    level: "info",
    format,
    write: (line) => text += line,
    ...(mask === undefined ? {} : { mask }),
  });
  logger.warn("a hunter2\n\x1b[31m\u009b \u202e z", { key: "b hunter2\r\u2066", countAll: 1 });
  return text;
}

test("createLogger() writes control characters and marks of direction out", () => {
  assert.match(
    written("text"),
    /^\S+ WARN {2}a hunter2\\n\\x1b\[31m\\x9b \\u202e z key="b hunter2\\r\\u2066" count_all=1\n$/,
  );
  const json = written("json");
  assert.match(json, /^[\x20-\x7e]+\n$/);
  assert.equal(JSON.parse(json).message, "a hunter2\n\x1b[31m\u009b \u202e z");
});

for (const format of ["text", "json"] as const) {
  test(`createLogger() masks secrets in messages and fields as ${format}`, () => {
    const text = written(format, new SecretMask(["hunter2"]));
    assert.doesNotMatch(text, /hunter2/);
    assert.equal(text.match(/\*\*\*/g)?.length, 2);
  });
}
