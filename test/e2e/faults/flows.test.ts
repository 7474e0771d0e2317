import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import test from "node:test";
import { type Daemon, startDaemon } from "../../support/processes/daemon.ts";
import { until } from "../../support/wait.ts";

/** Steps, waits and children on the compiled file: the jobs of docs/howto/flows.md, and crashes. */

const PAGE = readFileSync(new URL("../../../docs/howto/flows.md", import.meta.url), "utf8");

/** The modules of the page by file name. */
const MODULES = Object.fromEntries(
  [...PAGE.matchAll(/`jobs\/(\w+\.ts)`:\n\n```ts\n([^]*?)```/g)].map(([, name, text]) =>
    [name!, text!] as const
  ),
);

/** Appends a line whenever a step really runs, and prints one at each start of the function. */
const TRACED = `
import { appendFileSync } from "node:fs";
import type { Context } from "ts-job";
export default async function traced(ctx: Context, file: string): Promise<string[]> {
  console.log("begin");
  const note = (text: string) => appendFileSync(file, text + "\\n");
  const one = await ctx.step("one", () => { note("one"); return "1"; });
  await ctx.waitFor("go");
  const two = await ctx.step("two", async () => {
    note("two");
    await new Promise((resolve) => setTimeout(resolve, 300));
    return "2";
  });
  const kids = await ctx.callAll("kid", [["a", file], ["b", file]]);
  await ctx.sleep("pause", 200);
  console.log("end");
  return [one, two, ...kids as string[]];
}
`;
const KID = `
import { appendFileSync } from "node:fs";
export default function kid(name: string, file: string): string {
  appendFileSync(file, "kid " + name + "\\n");
  return name;
}
`;

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly waits?: readonly { readonly type: string; readonly name: string }[];
  readonly results?: readonly unknown[];
}

async function schedule(daemon: Daemon, ...args: readonly string[]): Promise<string> {
  const { stdout, code, stderr } = await daemon.ask(["schedule", ...args, "-o", "name"]);
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

async function shown(daemon: Daemon, id: string): Promise<Shown> {
  const { stdout, stderr } = await daemon.ask(["get", "instance", id, "-o", "json"]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as Shown;
}

async function parkedOn(daemon: Daemon, id: string, name: string): Promise<void> {
  await until(`it waits for ${name}`, async () => {
    const { waits = [] } = await shown(daemon, id);
    return waits.some((wait) => wait.name === name);
  });
}

async function ended(daemon: Daemon, id: string): Promise<Shown> {
  const { instance } = await daemon.client().waitInstance({ uuid: id, waitMs: 20_000n });
  assert.ok(instance !== undefined);
  return await shown(daemon, id);
}

test("the jobs of docs/howto/flows.md do what the page says", async () => {
  assert.deepEqual(Object.keys(MODULES), [
    "order.ts",
    "nightly.ts",
    "scale.ts",
    "renew.ts",
    "trip.ts",
    "remind.ts",
    "watch.ts",
  ]);
  const daemon = await startDaemon({ modules: MODULES });
  try {
    const [first, second] = [
      await schedule(daemon, "order", "o-17", "--unique-key", "o-17"),
      await schedule(daemon, "order", "o-18"),
    ];
    const nightly = await schedule(daemon, "nightly", "25");
    const reminder = await schedule(daemon, "remind", "ann");
    const watch = await schedule(daemon, "watch", "Rome");
    const trip = await schedule(daemon, "trip", "Rome");
    await parkedOn(daemon, trip, "confirmed");
    assert.equal((await daemon.ask(["cancel", trip])).code, 0);
    assert.equal((await ended(daemon, trip)).state, "cancelled");
    const taken = await daemon.ask(["logs", trip]);
    assert.equal(taken.stdout.match(/canceled the flight to Rome/g)?.length, 1);
    const renewals = [
      await schedule(daemon, "renew", "acme"),
      await schedule(daemon, "renew", "acme"),
    ];
    await parkedOn(daemon, renewals[0]!, "paid");
    assert.equal((await shown(daemon, renewals[1]!)).state, "scheduled");
    for (const id of renewals) {
      await parkedOn(daemon, id, "paid");
      assert.equal((await daemon.ask(["signal", id, "paid"])).code, 0);
      assert.deepEqual((await ended(daemon, id)).results, ["renewed acme"]);
    }
    for (const id of [first, second]) await parkedOn(daemon, id, "approved");
    const explained = await daemon.ask(["explain", first, "-o", "json"]);
    assert.match(explained.stdout, /It is parked and waits for signal \\"approved\\"/);
    assert.equal((await daemon.ask(["approve", first])).code, 0);
    assert.equal((await daemon.ask(["reject", second])).code, 0);
    await parkedOn(daemon, first, "packing");
    assert.deepEqual((await ended(daemon, first)).results, ["shipped o-17"]);
    assert.deepEqual((await ended(daemon, second)).results, ["refunded"]);
    const logs = await daemon.ask(["logs", second]);
    assert.equal(logs.stdout.match(/refunded charge-of-o-18/g)?.length, 1);
    const sizes = 10 * "0.png".length + 15 * "10.png".length;
    assert.deepEqual((await ended(daemon, nightly)).results, [sizes]);
    const paid = await daemon.ask(["signal", reminder, "paid"]);
    assert.match(paid.stderr + paid.stdout, /"state": "(?:scheduled|processing|completed)"/);
    assert.deepEqual((await ended(daemon, reminder)).results, ["paid in time"]);
    for (const value of ["20", "22"]) {
      assert.equal((await daemon.ask(["signal", watch, "report", value])).code, 0);
    }
    await until("two rounds have ended", async () => {
      const { stdout } = await daemon.ask(["get", "steps", watch, "-o", "json"]);
      const found = JSON.parse(stdout) as { key: string; state: string }[];
      return found.map(({ key, state }) => `${key} ${state}`).join() ===
        "round-3.wait:report waiting";
    });
    const steps = await daemon.ask(["get", "steps", first, "-o", "json"]);
    const names = (JSON.parse(steps.stdout) as { name: string; state: string }[])
      .map(({ name, state }) => `${name} ${state}`);
    assert.deepEqual(names.slice(0, 4), [
      "charge done",
      "approved done",
      "packing done",
      "ship done",
    ]);
  } finally {
    await daemon.stop();
  }
});

test("kill -9 of the daemon while parked and within a step: each step that was recorded ran once", async () => {
  const daemon = await startDaemon({ modules: { "traced.ts": TRACED, "kid.ts": KID } });
  const file = `${daemon.dir}/trace.txt`;
  const lines = () => readFileSync(file, "utf8").trim().split("\n");
  try {
    const id = await schedule(daemon, "traced", file);
    await parkedOn(daemon, id, "go");
    await daemon.kill();
    const next = await daemon.restart();
    await parkedOn(next, id, "go");
    assert.equal((await next.ask(["signal", id, "go"])).code, 0);
    await until("step two runs", () => lines().includes("two"));
    await next.kill();
    const last = await next.restart();
    const { state, results } = await ended(last, id);
    assert.deepEqual([state, results], ["completed", [["1", "2", "a", "b"]]]);
    const ran = lines();
    assert.equal(ran.filter((line) => line === "one").length, 1);
    assert.equal(ran.filter((line) => line === "two").length, 2);
    assert.deepEqual(ran.filter((line) => line.startsWith("kid")).sort(), ["kid a", "kid b"]);
    const { stdout } = await last.ask(["logs", id]);
    assert.deepEqual([stdout.match(/begin/g)?.length, stdout.match(/\bend\b/g)?.length], [1, 1]);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("code that changes while an instance is parked runs on, and its log says so", async () => {
  const source = (end: string) => `
    import type { Context } from "ts-job";
    export default async function changing(ctx: Context): Promise<string> {
      const first = await ctx.step("first", () => "old");
      await ctx.waitFor("go");
      return await ctx.step("${end}", () => first + " ${end}");
    }`;
  const daemon = await startDaemon({ modules: { "changing.ts": source("before") } });
  try {
    const id = await schedule(daemon, "changing");
    await parkedOn(daemon, id, "go");
    writeFileSync(`${daemon.dir}/jobs/changing.ts`, source("after"));
    assert.equal((await daemon.ask(["reload"])).code, 0);
    assert.equal((await daemon.ask(["signal", id, "go"])).code, 0);
    assert.deepEqual((await ended(daemon, id)).results, ["old after"]);
    const { stdout } = await daemon.ask(["logs", id]);
    assert.equal(stdout.match(/The code has changed since the last run/g)?.length, 1);
  } finally {
    await daemon.stop();
  }
});

test('with on_change = "park" an instance waits until its changed code is accepted', async () => {
  const source = (end: string) => `
    import type { Context } from "ts-job";
    export default async function careful(ctx: Context): Promise<string> {
      const first = await ctx.step("first", () => "old");
      await ctx.waitFor("go");
      return await ctx.step("${end}", () => first + " ${end}");
    }`;
  const toml = '[jobs.careful]\non_change = "park"\n';
  const daemon = await startDaemon({ toml, modules: { "careful.ts": source("before") } });
  try {
    const id = await schedule(daemon, "careful");
    await parkedOn(daemon, id, "go");
    const early = await daemon.ask(["resume", id, "--accept"]);
    assert.match(early.stderr, /Cannot accept changed code: the instance does not wait for that/);
    writeFileSync(`${daemon.dir}/jobs/careful.ts`, source("after"));
    assert.equal((await daemon.ask(["reload"])).code, 0);
    assert.equal((await daemon.ask(["signal", id, "go"])).code, 0);
    await until("it waits to be accepted", async () => {
      const { waits = [] } = await shown(daemon, id);
      return waits.some(({ type }) => type === "change");
    });
    assert.equal((await daemon.ask(["resume", id, "--accept"])).code, 0);
    assert.deepEqual((await ended(daemon, id)).results, ["old after"]);
  } finally {
    await daemon.stop();
  }
});
