import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import {
  CODE_STYLE,
  parseConcurrency,
  parseRate,
  parseUnique,
  TABLE_STYLE,
} from "../../../src/core/job/limit_inputs.ts";
import {
  argumentsText,
  blockWords,
  checkLimits,
  type JobLimits,
  keyText,
  unservedBlock,
} from "../../../src/core/job/limits.ts";
import { parseParams } from "../../../src/jobs/types/read_signature.ts";

const signature = parseParams(
  "account: string, customer: { id: number; tags: string[] }, any?: unknown, ...rest: string[]",
);
const NONE: JobLimits = { concurrency: [], rate: [] };
const check = (limits: Partial<JobLimits>) =>
  checkLimits({ kind: "mail", signature, limits: { ...NONE, ...limits }, unique: null });
const by = (...paths: string[]) => ({ max: 1, by: paths, per: "cluster" as const });

test("keyText() is alike for the same values, whatever stands beside them", () => {
  const text = (args: unknown[], ...paths: string[]) =>
    keyText(signature, JSON.stringify(args), paths);
  assert.equal(text(["a", { id: 3, tags: [] }], "account"), 'account="a"');
  assert.equal(text(["a", { id: 3 }], "customer.id", "account"), 'customer.id=3,account="a"');
  assert.equal(text(["a", { id: 3, tags: ["x", "y"] }], "customer.tags.1"), 'customer.tags.1="y"');
  assert.equal(
    text(["a", { tags: [], id: 3 }], "customer"),
    text(["b", { id: 3, tags: [] }], "customer"),
  );
  assert.equal(text(["a", {}, 1, "x", "y"], "rest"), 'rest=["x","y"]');
});

test("keyText() is null for what is not there", () => {
  for (const args of [[], [null], [3], ["a"], ["a", null], ["a", { id: null }], ["a", {}]]) {
    assert.equal(keyText(signature, JSON.stringify(args), ["customer.id"]), "customer.id=null");
  }
  assert.equal(
    keyText(signature, '["a",{"__proto__":1}]', ["customer.toString"]),
    "customer.toString=null",
  );
});

test("argumentsText() is alike for the same arguments", () => {
  assert.equal(
    argumentsText('[{"b":1,"a":[2,{"d":1,"c":0}]}]'),
    argumentsText('[{"a":[2,{"c":0,"d":1}],"b":1}]'),
  );
  assert.equal(argumentsText("[1,null]"), argumentsText("[1]"));
  assert.notEqual(argumentsText("[null,1]"), argumentsText("[1]"));
  assert.notEqual(argumentsText('["1"]'), argumentsText("[1]"));
});

test("checkLimits() takes parameters and paths that there are", () => {
  for (
    const path of [
      "account",
      "customer",
      "customer.id",
      "customer.tags.0",
      "any.deep.er",
      "rest",
      "rest.0",
    ]
  ) {
    check({ concurrency: [by(path)] });
  }
});

for (
  const [path, message] of [
    ["acount", 'it has no parameter "acount"'],
    ["customer.name", 'there is no member "name", its members: id, tags'],
    ["account.id", 'a string has no member "id"'],
    ["customer.tags.first", 'an array has no member "first"'],
  ] as const
) {
  test(`checkLimits() refuses the path "${path}"`, () => {
    assert.throws(
      () => check({ rate: [{ max: 1, perMs: 1_000, by: [path] }] }),
      (error) =>
        isJobError(error, "invalid_argument") && error.path === "rate" &&
        error.message.includes(message),
    );
  });
}

test("checkLimits() refuses another limit of the queue whose slots are kept", () => {
  const kept = { ...by("account"), hold: "instance" } as const;
  check({ concurrency: [kept, by()], rate: [{ max: 1, perMs: 1, by: [] }] });
  check({ concurrency: [{ ...by(), hold: "instance" }] });
  const rate = [{ max: 1, perMs: 1, by: ["account"] }];
  for (const limits of [{ concurrency: [kept, by("account")] }, { concurrency: [kept], rate }]) {
    assert.throws(() => check(limits), /Cannot combine hold = "instance".*by "account"/);
  }
  assert.throws(() => check({ concurrency: [{ ...by(), hold: "instance" }], rate }), /combine/);
});

test("checkLimits() refuses limits with different keys", () => {
  check({ concurrency: [by("account"), by()], rate: [{ max: 1, perMs: 1, by: ["account"] }] });
  assert.throws(
    () => check({ concurrency: [by("account")], rate: [{ max: 1, perMs: 1, by: ["any"] }] }),
    /by "account" and by "any"/,
  );
});

test("parseConcurrency() reads a number, a table and a list", () => {
  assert.deepEqual(parseConcurrency(3), [{ max: 3, by: [], per: "cluster" }]);
  const kept = { max: 1, by: [], per: "cluster", hold: "instance" };
  assert.deepEqual(parseConcurrency({ max: 1, hold: "instance" }), [kept]);
  assert.deepEqual(parseConcurrency([{ max: 2, by: "account", per: "node" }, 9]), [
    { max: 2, by: ["account"], per: "node" },
    { max: 9, by: [], per: "cluster" },
  ]);
});

test("parseRate() reads text, a table and a list", () => {
  assert.deepEqual(parseRate("10/1m", TABLE_STYLE), [{ max: 10, perMs: 60_000, by: [] }]);
  assert.deepEqual(parseRate("5/s", TABLE_STYLE), [{ max: 5, perMs: 1_000, by: [] }]);
  assert.deepEqual(parseRate({ max: 1, per: 250, by: ["a", "b.c"] }, CODE_STYLE), [
    { max: 1, perMs: 250, by: ["a", "b.c"] },
  ]);
});

test("parseUnique() reads text, a list and a table", () => {
  const keep = { forMs: null, onConflict: "keep" };
  assert.deepEqual(parseUnique("arguments", TABLE_STYLE), { by: null, ...keep });
  assert.deepEqual(parseUnique("account", TABLE_STYLE), { by: ["account"], ...keep });
  assert.deepEqual(parseUnique({ for: "1h" }, TABLE_STYLE), {
    ...keep,
    by: null,
    forMs: 3_600_000,
  });
  assert.deepEqual(
    parseUnique({ by: ["a"], onConflict: "replace" }, CODE_STYLE),
    { by: ["a"], forMs: null, onConflict: "replace" },
  );
});

for (
  const [name, read] of [
    ["0 at once", () => parseConcurrency(0)],
    ["a part of one", () => parseConcurrency(1.5)],
    ["an empty list", () => parseConcurrency([])],
    ["an unknown key", () => parseConcurrency({ max: 1, bye: "a" })],
    ["no max", () => parseConcurrency({ by: "a" })],
    ["an unknown scope", () => parseConcurrency({ max: 1, per: "host" })],
    ["an unknown hold", () => parseConcurrency({ max: 1, hold: "ever" })],
    ["a kept slot of a node", () => parseConcurrency({ max: 1, per: "node", hold: "instance" })],
    ["an empty path", () => parseConcurrency({ max: 1, by: "" })],
    ["a path with an empty part", () => parseConcurrency({ max: 1, by: "a..b" })],
    ["a path twice", () => parseConcurrency({ max: 1, by: ["a", "a"] })],
    ["a rate without a span", () => parseRate({ max: 1 }, TABLE_STYLE)],
    ["a rate in a span of 0", () => parseRate("1/0", TABLE_STYLE)],
    ["milliseconds in a table", () => parseRate({ max: 1, per: 5 }, TABLE_STYLE)],
    ["a rate that is no text", () => parseRate("often", TABLE_STYLE)],
    ["another way of conflict", () => parseUnique({ on_conflict: "drop" }, TABLE_STYLE)],
    ["the other place's spelling", () => parseUnique({ on_conflict: "keep" }, CODE_STYLE)],
  ] as const
) {
  test(`limits are refused with ${name}`, () => {
    assert.throws(read, (error) => isJobError(error, "invalid_argument"));
  });
}

test("unservedBlock() names the tags that no live node has", () => {
  const words = (needs: readonly string[], ...nodes: readonly string[][]) =>
    blockWords(unservedBlock("render", needs, nodes.map((tags) => new Set(tags))));
  const gpu = 'a node for job "render", which needs tag "gpu"';
  assert.equal(words(["gpu"], []), `${gpu}: none of 1 live node has it`);
  assert.equal(words(["gpu", "eu"], ["eu"], []), `${gpu}: none of 2 live nodes has it`);
  assert.equal(
    words(["gpu", "eu"], ["eu"], ["gpu"]),
    'a node for job "render", which needs tags "gpu", "eu": none of 2 live nodes has all of them',
  );
  // A node that has the tags does not have the job, or nobody here knows what it needs.
  const unknown = 'a node that runs job "render": no live one does';
  assert.equal(words(["gpu"], ["gpu"]), unknown);
  assert.equal(words([], ["gpu"]), unknown);
});
