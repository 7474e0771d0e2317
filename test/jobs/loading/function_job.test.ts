import { SCHEDULE_DEFAULTS } from "../../../src/core/job/option_table.ts";
import { NO_HANDLERS } from "../../../src/core/job/job.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeSignature } from "../../../src/core/arguments/describe.ts";
import type { JobInput } from "../../../src/core/job/define.ts";
import { JobError } from "../../../src/core/errors.ts";
import { resolveFunctionJob } from "../../../src/jobs/loading/function_job.ts";
import { NOW_MS, OPTIONS } from "../../support/processes/job_modules.ts";

const run = () => {};
const INHERITED = {
  options: OPTIONS,
  schedules: SCHEDULE_DEFAULTS,
  timezone: "UTC",
  now: NOW_MS,
};

test("resolveFunctionJob() makes a job of a function with its options", () => {
  const job = resolveFunctionJob(
    {
      kind: "sum",
      description: "Adds.",
      params: "x: number, y: number",
      run,
      timeout: "1m30s",
      retry: { max: 2, initial: 5 },
      keep: { failure: "1d" },
      schedule: "@every 15m",
      args: ["1", 2],
    },
    INHERITED,
  );
  assert.equal(describeSignature(job.kind, job.signature), "sum <x: number> <y: number>");
  assert.equal(job.source.type, "function");
  assert.equal(job.description, "Adds.");
  assert.deepEqual(job.options, {
    ...OPTIONS,
    timeoutMs: 90_000,
    retry: { ...OPTIONS.retry, max: 2, initialMs: 5 },
    keepFailureMs: 86_400_000,
  });
  assert.equal(job.schedules[0]?.spec.everyMs, 900_000);
  assert.deepEqual(job.schedules[0]?.arguments, ["1", 2]);
  assert.equal(job.registeredAt, NOW_MS);
});

test("resolveFunctionJob() knows no types when there is no params text", () => {
  const { signature } = resolveFunctionJob({ kind: "a", run }, INHERITED);
  assert.equal(signature.isTyped, false);
});

test("resolveFunctionJob() keeps this of a definition in its handlers", () => {
  const input = {
    kind: "a",
    run,
    onComplete() {
      return this;
    },
  } satisfies JobInput;
  const { source, hasHandler } = resolveFunctionJob(input, INHERITED);
  assert.deepEqual(hasHandler, { ...NO_HANDLERS, onComplete: true });
  assert.ok(source.type === "function");
  assert.equal(source.handlers.onComplete?.(null as never, []), input);
});

test("resolveFunctionJob() takes the zone and defaults that it is given", () => {
  const inherited = {
    timezone: "Europe/Berlin",
    schedules: { overlap: "allow", misfire: "skip", misfireWithinMs: 5, jitterMs: 6 },
  } as const;
  const input = { kind: "a", run, schedule: "@daily" };
  const { schedules } = resolveFunctionJob(input, { ...INHERITED, ...inherited });
  const { cron: _, everyMs: __, ...rest } = schedules[0]!.spec;
  assert.deepEqual(rest, { timezone: "Europe/Berlin", ...inherited.schedules });
});

const BAD: readonly [input: object, path: string, message: RegExp][] = [
  [{ run }, "kind", /it has no kind/],
  [{ kind: "", run }, "kind", /kind/],
  [{ kind: " a", run }, "kind", /Cannot use " a" as a kind: it begins or ends with a blank/],
  [{ kind: "system.a", run }, "kind", /the product's own/],
  [{ kind: "a", run, params: "x:" }, "params", /Cannot read params/],
  [{ kind: "a", run, timeout: "soon" }, "timeout", /soon/],
  [{ kind: "a", run, retry: { initial: "2h", cap: "1h" } }, "retry.initial", /longer than/],
  [{ kind: "a", run, schedule: "never" }, "schedule", /never/],
  [{ kind: "a", run, schedule: "0 0 30 2 *" }, "schedule", /30/],
  [{ kind: "a", run, schedule: "@daily", timezone: "Mars/Base" }, "schedule", /Mars\/Base/],
  [{ kind: "a", run, params: "x: number", args: ["b"] }, "x", /"b" is not a number/],
  [{ kind: "a", run, params: "x: number", schedule: "@daily" }, "x", /argument "x" is missing/],
];

for (const [input, path, message] of BAD) {
  test(`resolveFunctionJob() refuses ${JSON.stringify(input)}`, () => {
    assert.throws(() => resolveFunctionJob(input as JobInput, INHERITED), (error) => {
      assert.ok(error instanceof JobError, String(error));
      assert.match(error.message, message);
      assert.equal(error.path, path);
      return true;
    });
  });
}

test("resolveFunctionJob() refuses limits, which a function of this process cannot have", () => {
  for (const input of [{ limits: { memory: "1GB" } }, { nice: 5 }]) {
    assert.throws(
      () => resolveFunctionJob({ kind: "big", run, ...input }, INHERITED),
      (error) => error instanceof JobError && error.path === Object.keys(input)[0],
    );
  }
});
