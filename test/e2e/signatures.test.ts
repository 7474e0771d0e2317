import assert from "node:assert/strict";
import test from "node:test";
import { type Daemon, startDaemon } from "../support/processes/daemon.ts";
import { checkSchema, validate } from "../support/json_schema.ts";

/** The signature as the interface, on the compiled file. */

const TYPES = `
export enum Level { Low, High = 10 }
export interface Order { id: bigint; parent?: Order }
`;
const REPORT = `
import type { Context, Duration, Int } from "ts-job";
import { Level, type Order } from "./_types.ts";

/**
 * Reports one day.
 *
 * @param day the day of it
 */
export default function report(
  ctx: Context, day: Date, wait: Duration, orders: Map<string, Order> = new Map(), level: Level = Level.Low,
  tags?: Set<Int>, raw?: Uint8Array, timeout?: number,
): [string, Map<string, Order>] {
  const seen = [day, orders, tags, raw].map((value) => value?.constructor.name);
  return [[...seen, wait, level, typeof orders.get("a")?.id, timeout].join(" "), orders];
}
`;
const PLAIN = `
/** @param {{ id: number, note?: string }} options */
export default function plain({ id, note = "none" }) { return typeof id + " " + note; }
`;
const ODD = "export default function odd(x: WeakMap<object, 1>, y: number): void {}\n";

const MODULES = { "_types.ts": TYPES, "report.ts": REPORT, "plain.js": PLAIN, "odd.ts": ODD };

async function resultsOf(daemon: Daemon, ...args: string[]): Promise<readonly unknown[]> {
  const { code, stdout, stderr } = await daemon.jobctl(["schedule", ...args, "--wait"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).results;
}

test("the signature is the interface of the compiled file", async () => {
  const daemon = await startDaemon({ modules: MODULES });
  try {
    await daemon.logged(/WARN +Type "WeakMap<object, 1>" is taken .*odd\.ts:1:32/);
    const orders = '{"a":{"id":9007199254740993,"parent":{"id":1}}}';
    const options = ["--orders", orders, "--level", "High", "--tags", "1", "--tags", "2"];
    const [seen, kept] = await resultsOf(
      daemon,
      ...["report", "2026-01-31", "1m30s", ...options, "--raw", "AQID", "--arg", "timeout=5"],
    );
    assert.equal(seen, "Date Map Set Uint8Array 90000 10 bigint 5");
    assert.deepEqual(kept, { a: { id: "9007199254740993", parent: { id: 1 } } });
    assert.deepEqual(await resultsOf(daemon, "plain", "--id", "7"), ["number none"]);

    const refused = await daemon.jobctl(["schedule", "report", "2026-02-30", "1m"]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /argument "day" of job "report": "2026-02-30" is not a date/);
    const deep = await daemon.jobctl([
      ...["schedule", "report", "2026-02-28", "1m", "--orders"],
      '{"a":{"id":1,"parent":{"id":"x"}}}',
    ]);
    assert.match(
      deep.stderr,
      /argument "orders.a.parent.id" of job "report": "x" is not an integer/,
    );

    const { stdout } = await daemon.jobctl(["get", "job", "report", "-o", "jsonschema"]);
    const schema = JSON.parse(stdout);
    checkSchema(schema);
    assert.deepEqual(
      validate(schema, { day: "2026-01-31T00:00:00.000Z", wait: 1, orders: kept }),
      [],
    );
    assert.notDeepEqual(validate(schema, { day: "2026-01-31T00:00:00.000Z", wait: 1.5 }), []);
    const help = await daemon.jobctl(["schedule", "report", "--help"]);
    assert.match(help.stdout, /^ {2}day +Date +required +the day of it$/m);
    assert.match(help.stdout, /Source: the daemon/);
  } finally {
    await daemon.terminate();
  }
  // Nobody answers any more: the configuration tells.
  const offline = await daemon.jobctl(["schedule", "report", "--help"], { cwd: daemon.dir });
  assert.match(offline.stdout, /^ {2}Order = \{ id: bigint; parent\?: Order \}$/m);
  assert.match(offline.stdout, /Source: .*config\.toml/);
  const check = await daemon.jobctl(["check", "-o", "table"], { cwd: daemon.dir });
  assert.match(check.stdout, /warning: .*odd\.ts:1:32: jobs\.odd: Type "WeakMap<object, 1>"/);
  await daemon.stop({ force: true });
});

test("arguments convert from the format at hand, nested as well, on the compiled file", async () => {
  const modules = {
    "format.ts": `
interface Item { name: string; on: boolean; size: number }
export default function format(text: string, flag: boolean, item: Item, names: string[], either: boolean | number): string {
  return JSON.stringify([text, flag, item, names, either]);
}`,
  };
  const daemon = await startDaemon({ modules });
  try {
    const least = "-9223372036854775808";
    const json =
      `[42, 1, {"name": true, "on": "T", "size": ${least}}, [1, 12345678901234567890, false], 1]`;
    const [byJson] = await resultsOf(daemon, "format", "--args-json", json);
    assert.equal(
      byJson,
      '["42",true,{"name":"true","on":true,"size":-9223372036854776000},' +
        '["1","12345678901234567890","false"],1]',
    );
    const item = '{"name":1,"on":0,"size":"5"}';
    const [byText] = await resultsOf(daemon, "format", "42", "f", item, "[1]", "true");
    assert.equal(byText, '["42",false,{"name":"1","on":false,"size":5},["1"],true]');
    const refused = await daemon.jobctl([
      "schedule",
      "format",
      "--args-json",
      '["a", 2, {}, [], 1]',
    ]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /argument "flag" of job "format": 2 is not true or false/);
  } finally {
    await daemon.stop();
  }
});
