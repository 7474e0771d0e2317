import assert from "node:assert/strict";
import { test } from "node:test";
import { isUuid } from "../../src/core/instance.ts";

const ID = "019b77c0-0000-7000-8000-000000000001";

test("isUuid() is true for a whole UUID in lower case and nothing else", () => {
  assert.ok(isUuid(ID));
  for (
    const text of [ID.toUpperCase(), ID.slice(1), `${ID}0`, ID.replaceAll("-", ""), `${ID}\n`, ""]
  ) {
    assert.equal(isUuid(text), false, JSON.stringify(text));
  }
});
