import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNotify } from "../../../src/core/notices/settings.ts";

test("checkNotify() accepts known channels, none, and all", () => {
  for (const notify of [["ops", "night"], [], ["*", "ops"], undefined]) {
    checkNotify("a", notify, ["night", "ops"]);
  }
});

test("checkNotify() refuses an unknown channel and names the nearest one", () => {
  assert.throws(() => checkNotify("a", ["night", "opps"], ["night", "ops"]), {
    code: "invalid_argument",
    path: "notify",
    message: 'Cannot tell channel "opps" about job "a": there is none',
    hint: 'Did you mean "ops"?',
  });
  assert.throws(() => checkNotify("a", ["mail"], []), {
    hint: "Add it to the configuration: [notices.mail]",
  });
});
