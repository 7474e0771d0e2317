import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNotify } from "../../../src/core/notices/settings.ts";

test("checkNotify() accepts known channels, none, and all", () => {
  for (const notify of [["ops", "night"], [], ["*", "ops"], undefined]) {
    assert.deepEqual(checkNotify(notify, ["night", "ops"]), { notify, problem: null });
  }
});

test("checkNotify() leaves out an unknown channel and names the nearest one", () => {
  assert.deepEqual(checkNotify(["night", "opps"], ["night", "ops"]), {
    notify: ["night"],
    problem: {
      message: 'there is no channel "opps": only the others are notified',
      hint: 'Did you mean "ops"?',
    },
  });
  assert.deepEqual(checkNotify(["mail"], []), {
    notify: undefined,
    problem: {
      message: 'there is no channel "mail": all channels whose jobs match are notified instead',
      hint: "Add it to the configuration: [notices.mail]",
    },
  });
});
