import assert from "node:assert/strict";
import { after, test } from "node:test";
import { convertArguments } from "../../src/core/arguments/convert.ts";
import { encodeJson } from "../../src/core/arguments/encode.ts";
import type { JobDefinition } from "../../src/core/job/job.ts";
import { Manager, resultsOf } from "../../src/index.ts";
import { readSignature } from "../../src/jobs/types/read_signature.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import type { Executor } from "../../src/worker/executor.ts";
import { createInlineExecutor } from "../../src/worker/isolation/inline_executor.ts";
import { createProcessExecutor } from "../../src/worker/process/process_executor.ts";
import { makeTask, moduleJob, RecordingSink, workerCommand } from "../support/attempts.ts";
import { sourceOf, TYPE_TABLE } from "../support/type_table.ts";

/** The type of an argument as the function of a job sees it, and its value in JSON. */
type Seen = readonly [name: string, value: unknown];

const OPTIONS = { bytesMax: 100_000, what: "a value" };

function wantedOf(value: unknown): Seen {
  const name = (value as object | null | undefined)?.constructor.name ?? typeof value;
  return [name, JSON.parse(encodeJson(value, OPTIONS))];
}

/** Every value of the table, as a job whose function gets it. */
const CASES = TYPE_TABLE.flatMap((row) => {
  const { result: _, resultCount: __, ...signature } = readSignature(sourceOf(row));
  const job = moduleJob("kindOf", {}, { ...signature, resultCount: 1 });
  return row.good.map(([given, wanted]) => ({ row, job, given, wanted }));
});

async function seenBy(executor: Executor, job: JobDefinition, given: unknown): Promise<Seen> {
  const stored = JSON.parse(encodeJson(convertArguments(job.signature, [given]), OPTIONS));
  const outcome = await executor.run(makeTask(job, stored), new RecordingSink()).outcome;
  assert.ok(outcome.type === "ok", JSON.stringify(outcome));
  return JSON.parse(outcome.resultsJson)[0];
}

const executors: Readonly<Record<string, Executor>> = {
  inline: createInlineExecutor({ clock: systemClock }),
  process: createProcessExecutor({
    clock: systemClock,
    logger: silentLogger,
    count: 1,
    idleMs: 60_000,
    command: workerCommand(),
  }),
};
after(() => Promise.all(Object.values(executors).map((executor) => executor.stop())));

for (const [name, executor] of Object.entries(executors)) {
  test(`functions of ${name} jobs get real values of every type`, async () => {
    for (const { row, job, given, wanted } of CASES) {
      assert.deepEqual(await seenBy(executor, job, given), wantedOf(wanted), row.type);
    }
  });
}

test("functions of the library receive real values and return them", async () => {
  await using manager = Object.assign(new Manager(), {
    async [Symbol.asyncDispose](): Promise<void> {
      await manager.stop();
    },
  });
  const seen: unknown[] = [];
  manager.registerJob({
    kind: "all",
    params:
      "ctx: Context, day: Date, scores: Map<string, bigint>, tags: Set<Int>, raw: Uint8Array, site: URL, wait: Duration",
    run: (_ctx, ...values) => void seen.push(...values),
  });
  await manager.start();
  const given = ["2026-01-31", { a: "9007199254740993" }, "[1,2]", "AQID", "https://e.com", "1m"];
  const instance = await manager.wait(await manager.scheduleJob("all", { arguments: given }));
  assert.equal(instance.state, "completed", String(instance.error?.message));
  const [day, scores, tags, raw, site, wait] = seen;
  assert.deepEqual(day, new Date("2026-01-31"));
  assert.deepEqual(scores, new Map([["a", 9007199254740993n]]));
  assert.deepEqual(tags, new Set([1, 2]));
  assert.deepEqual(raw, new Uint8Array([1, 2, 3]));
  assert.ok(site instanceof URL && site.href === "https://e.com/");
  assert.equal(wait, 60_000);
});

test("resultsOf() returns results of the declared types when it has the signature", async () => {
  await using manager = Object.assign(new Manager(), {
    async [Symbol.asyncDispose](): Promise<void> {
      await manager.stop();
    },
  });
  manager.registerJob({ kind: "map", run: () => new Map([["1", new Date(0)]]) });
  await manager.start();
  const instance = await manager.wait(await manager.scheduleJob("map"));
  const signature = readSignature("export default (): Map<string, Date> => new Map();");
  assert.deepEqual(resultsOf(instance), [[["1", "1970-01-01T00:00:00.000Z"]]]);
  assert.deepEqual(resultsOf(instance, signature), [new Map([["1", new Date(0)]])]);
});
