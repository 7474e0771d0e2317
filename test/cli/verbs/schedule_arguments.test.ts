import assert from "node:assert/strict";
import test from "node:test";
import { JobError } from "../../../src/core/errors.ts";
import { encodeSignature } from "../../../src/core/arguments/signature_json.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";
import { waiting } from "../../support/worlds/cli_messages.ts";
import { cli } from "../../support/worlds/cli_world.ts";
import { checkSchema } from "../../support/json_schema.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const REPORT = `
  enum Level { Low, High }
  interface Order { id: bigint; note?: string }
  /**
   * Sends a report.
   *
   * @param day the day of it
   */
  export default function report(
    day: Date, region = "eu", tags: string[] = [], dryRun = false, timeout?: number, level?: Level, order?: Order,
  ): number { return 1; }
`;
const BILL = "export default ({ id, note }: { id: number; note?: string }) => {};";
const SUM = "export default (first: string, ...rest: number[]) => {};";

/** Answers of a daemon that knows one job. */
function daemonWith(source: string, kind = "report") {
  const signatureJson = encodeSignature(readSignature(source));
  return {
    getJob: { job: { kind, signatureJson, usage: kind } },
    scheduleJob: { instance: waiting() },
  };
}

async function sent(source: string, ...argv: string[]): Promise<unknown> {
  const run = await cli(["schedule", "report", ...argv], { answers: daemonWith(source) });
  assert.equal(run.code, 0, run.stderr);
  const request = run.calls.find(({ method }) => method === "scheduleJob")!.request;
  assert.equal(request.arguments, undefined);
  return JSON.parse(String(request.argumentsJson));
}

const GOOD: readonly [argv: string, source: string, wanted: unknown][] = [
  ["--day 2026-01-31", REPORT, { day: "2026-01-31" }],
  ["--day=2026-01-31 --region=us", REPORT, { day: "2026-01-31", region: "us" }],
  ["2026-01-31 --region us", REPORT, { day: "2026-01-31", region: "us" }],
  ["2026-01-31 us --level High", REPORT, { day: "2026-01-31", region: "us", level: "High" }],
  ["--day x --tags a", REPORT, { day: "x", tags: ["a"] }],
  ["--day x --tags a --tags b", REPORT, { day: "x", tags: ["a", "b"] }],
  ['--day x --tags ["a"]', REPORT, { day: "x", tags: '["a"]' }],
  ["--day x --dryRun", REPORT, { day: "x", dryRun: true }],
  ["--day x --arg timeout=5", REPORT, { day: "x", timeout: "5" }],
  ["--arg day=x --arg dryRun=a=b", REPORT, { day: "x", dryRun: "a=b" }],
  ["--day -5", REPORT, { day: "-5" }],
  ['--day x --order {"id":9007199254740993}', REPORT, {
    day: "x",
    order: '{"id":9007199254740993}',
  }],
  ["--id 7 --note thanks", BILL, { id: "7", note: "thanks" }],
  ["--first a --rest 1 --rest 2", SUM, { first: "a", rest: ["1", "2"] }],
  ["--day-of-week 3", "export default (dayOfWeek: number) => {};", { dayOfWeek: "3" }],
  ["--day-of-week 3", "export default (day_of_week: number) => {};", { day_of_week: "3" }],
];

for (const [argv, source, wanted] of GOOD) {
  test(`schedule gives arguments by name: ${argv}`, async () => {
    assert.deepEqual(await sent(source, ...argv.split(" ")), wanted);
  });
}

test("schedule asks for no signature when all arguments stand by position", async () => {
  const run = await cli(["schedule", "report", "a"], { answers: daemonWith(REPORT) });
  assert.deepEqual(run.calls.map(({ method }) => method), ["scheduleJob"]);
  assert.deepEqual(run.calls[0]!.request.arguments, ["a"]);
});

const BAD: readonly [argv: string, source: string, message: RegExp][] = [
  ["--regoin us", REPORT, /with "--regoin": no such option or argument\n.*Did you mean "--region"/],
  ["--tiemzone UTC", REPORT, /no such option or argument\n.*Did you mean "--timezone"/],
  ["--tz UTC", REPORT, /no such option or argument\n.*Did you mean "--timezone ZONE"/],
  ["--every day", REPORT, /no such option or argument\n.*Did you mean "--cron '@every 15m'"/],
  ["x --day y", REPORT, /Cannot give "day" twice/],
  ["--region a --region b", REPORT, /Cannot give "region" 2 times: it is not a list/],
  ["--region", REPORT, /Cannot read option --region: it needs a value/],
  ["--day x --args-json {}", REPORT, /--args-json with the argument "--day": they exclude/],
  ["--arg day", REPORT, /Cannot read --arg "day": it has no name and value/],
  ["1 2 --first 3", "export default (first: string) => {};", /the argument "2": it takes no more/],
  ["-z 5", REPORT, /with "-z": no such option\nhint: See /],
  [
    "--region -z",
    REPORT,
    /with "-z": no such option\nhint: For the value of --region write --region=-z; /,
  ],
  [
    "--region -n",
    REPORT,
    /with "-n": no such option\nhint: For the value of --region write --region=-n; /,
  ],
  ["--wait -z", REPORT, /with "-z": no such option\nhint: See /],
  ["--day x --id 7", REPORT, /with "--id": .*\nhint: Give it as --order '\{"id": …\}'\n/],
  ["--id 7", "export default (name: string) => {};", /with "--id": .*\nhint: See jobctl describe/],
];

for (const [argv, source, message] of BAD) {
  test(`schedule refuses ${argv}`, async () => {
    const answers = daemonWith(source);
    const run = await cli(["schedule", "report", ...argv.split(" ")], { answers });
    assert.equal(run.code, 2);
    assert.match(run.stderr, message);
    assert.ok(!run.calls.some(({ method }) => method === "scheduleJob"));
  });
}

test("run names the verb that takes a time", async () => {
  const run = await cli(["run", "report", "--in", "2h"], { answers: daemonWith(REPORT) });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /with "--in": .*\nhint: Did you mean "jobctl schedule report --in"\?/);
});

test("schedule takes a value that begins with - joined to its option", async () => {
  assert.deepEqual(await sent(REPORT, "--region=-z"), { region: "-z" });
});

test("other verbs take no arguments by name", async () => {
  const run = await cli(["list", "jobs", "--region", "eu"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /no such option/);
});

test("schedule KIND --help tells the job's parameters as the daemon knows them", async () => {
  const run = await cli(["schedule", "report", "--help"], { answers: daemonWith(REPORT) });
  assert.equal(run.code, 0);
  assert.match(run.stdout, /^Usage: jobctl schedule KIND/);
  assert.match(run.stdout, /^Job report <day: Date> \[region: string = "eu"\]/m);
  assert.match(run.stdout, /^ {2}day +Date +required +the day of it$/m);
  assert.match(run.stdout, /^ {2}region +string +default "eu"$/m);
  assert.match(run.stdout, /^ {2}Level = Low \(0\) \| High \(1\)$/m);
  assert.match(run.stdout, /^ {2}Order = \{ id: bigint; note\?: string \}$/m);
  assert.match(run.stdout, /Source: the daemon\./);
});

test("schedule --help alone asks nobody", async () => {
  const run = await cli(["schedule", "--help"]);
  assert.equal(run.code, 0);
  assert.deepEqual(run.calls, []);
});

test("schedule KIND --help tells that the daemon has no such job", async () => {
  const getJob = () => {
    throw new JobError("not_found", "no");
  };
  const run = await cli(["schedule", "nope", "-h"], { answers: { getJob } });
  assert.equal(run.code, 0);
  assert.match(run.stdout, /The daemon has no job "nope"/);
});

test("schedule KIND --help is the verb's help when nobody knows the job", async () => {
  const getJob = () => {
    throw new JobError("unavailable", "no daemon");
  };
  await withTempDir({}, async ({ path }) => {
    const run = await cli(["schedule", "report", "--help"], { answers: { getJob }, cwd: path });
    assert.equal(run.code, 0);
    assert.equal(run.stderr, "");
    assert.equal(run.stdout, (await cli(["schedule", "--help"])).stdout);
  });
});

test("get job -o jsonschema writes the schema of the arguments", async () => {
  const run = await cli(["get", "job", "report", "-o", "jsonschema"], {
    answers: daemonWith(REPORT),
  });
  assert.equal(run.code, 0, run.stderr);
  const schema = JSON.parse(run.stdout);
  checkSchema(schema);
  assert.deepEqual(schema.required, ["day"]);
  assert.deepEqual(schema.properties.day, {
    type: "string",
    format: "date-time",
    description: "the day of it",
  });
  assert.deepEqual(schema.properties.region, { type: "string", default: "eu" });
  assert.equal(schema.additionalProperties, false);
});

test("get instance has no jsonschema", async () => {
  const run = await cli(["get", "instance", "0193", "-o", "jsonschema"]);
  assert.equal(run.code, 2);
});

test("describe job tells parameters, types and what is not checked", async () => {
  const source = "\nexport default (day: Date, other: WeakMap<object, 1>): string => '';";
  const run = await cli(["describe", "job", "report", "-o", "table"], {
    answers: daemonWith(source),
  });
  assert.match(run.stdout, /^ {2}day +Date +required$/m);
  assert.match(run.stdout, /^Result: string$/m);
  assert.match(run.stdout, /^Not checked: Type "WeakMap<object, 1>" is .* \(line 2\)$/m);
});

test("schedule takes --x for an argument by name, as -x is for an option", async () => {
  const answers = daemonWith("export default function sum(x: number, y: number) {}");
  const run = await cli(["schedule", "sum", "--x", "1", "--y", "2"], { answers });
  assert.equal(run.code, 0, run.stderr);
  const { request } = run.calls.at(-1)!;
  assert.deepEqual(JSON.parse(String(request.argumentsJson)), { x: "1", y: "2" });
});

test("describe job shows the result of an asynchronous function without its promise", async () => {
  const source = "export default async (): Promise<Map<string, number>> => new Map();";
  const run = await cli(["describe", "job", "report", "-o", "table"], {
    answers: daemonWith(source),
  });
  assert.match(run.stdout, /^Result: Map<string, number>$/m);
});
