import assert from "node:assert/strict";
import { test } from "node:test";
import { convertArguments } from "../../../src/core/arguments/convert.ts";
import { replaceArguments } from "../../../src/core/arguments/replace_arguments.ts";
import type { ArgumentInput } from "../../../src/core/arguments/signature.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";

const REPORT = "export default (day: string, region = 'eu', ...tags: string[]) => {};";
const BILL = "export default ({ id, note }: { id: number; note?: string }, copies = 1) => {};";

const CASES: readonly [source: string, past: unknown[], changed: ArgumentInput, wanted: unknown][] =
  [
    [REPORT, ["mon", "us", "a", "b"], { day: "tue" }, ["tue", "us", "a", "b"]],
    [REPORT, ["mon", "us", "a", "b"], { tags: ["c"] }, ["mon", "us", "c"]],
    [REPORT, ["mon"], { region: "us" }, ["mon", "us"]],
    [REPORT, ["mon"], {}, ["mon"]],
    [REPORT, ["mon", "us", "a"], ["tue"], ["tue"]],
    [BILL, [{ id: 1, note: "x" }, 2], { id: "7" }, [{ id: 7, note: "x" }, 2]],
    [BILL, [{ id: 1 }, 2], { copies: "3" }, [{ id: 1 }, 3]],
    [REPORT, ["?", "us"], { region: "eu" }, ["?", "eu"]],
  ];

for (const [source, past, changed, wanted] of CASES) {
  test(`replaceArguments() of ${JSON.stringify(past)} by ${JSON.stringify(changed)}`, () => {
    const signature = readSignature(source);
    const replaced = replaceArguments(signature, past, changed);
    assert.deepEqual(convertArguments(signature, replaced), wanted);
  });
}

test("replaceArguments() keeps a name that is none, so that it is refused", () => {
  const signature = readSignature(REPORT);
  const replaced = replaceArguments(signature, ["mon"], { dya: "tue" });
  assert.throws(() => convertArguments(signature, replaced), /"dya"/);
});
