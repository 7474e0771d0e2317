import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { type Daemon, startDaemon } from "../../support/processes/daemon.ts";

const ECHO = `
/** Returns its arguments. */
export default function echo(count: number, text: string, point: { x: number; names: string[] }): unknown[] {
  console.log("counted", count);
  console.error("a warning of " + text);
  return [count, text, point];
}
`;
const ARGUMENTS = ["7", "007", '{"x":1.5,"names":["1","b"]}'];
const VALUES = [7, "007", { x: 1.5, names: ["1", "b"] }];

let daemon: Daemon;

before(async () => {
  daemon = await startDaemon({ modules: { "echo.ts": ECHO } });
});

after(async () => {
  await daemon?.stop();
});

/** What the compiled file prints into a pipe. */
async function printed(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const piped = { env: { JOBCTL_OUTPUT: undefined, ...env } };
  const { code, stdout, stderr } = await daemon.jobctl(args, piped);
  assert.equal(code, 0, stderr);
  return stdout;
}

test("in a pipe, jobctl prints text: fields, lists with tabs, and lines of logs", async () => {
  const run = await printed(["schedule", "echo", ...ARGUMENTS, "--wait"]);
  assert.match(run, /^State: +done$/m);
  const [head, row, ...rest] = (await printed(["list", "instances", "--kind", "echo"])).split("\n");
  assert.deepEqual(rest, [""]);
  const titles = head!.split("\t");
  const cells = row!.split("\t");
  assert.equal(cells.length, titles.length, row!);
  assert.equal(cells[titles.indexOf("KIND")], "echo");
  const id = cells[titles.indexOf("ID")]!;
  assert.match(run, new RegExp(id));
  const lines = (await printed(["logs", id])).trimEnd().split("\n");
  assert.equal(lines.filter((line) => line.endsWith("counted 7")).length, 1, lines.join("\n"));
  assert.equal(lines.filter((line) => line.endsWith("a warning of 007")).length, 1);
  assert.ok(!lines.some((line) => line.includes("{") || line.includes("\x1b")), lines.join("\n"));
});

test("--fields chooses what is shown, and a wrong name lists all", async () => {
  await printed(["schedule", "echo", ...ARGUMENTS, "--wait", "-q"]);
  const fields = ["list", "instances", "--kind", "echo", "--limit", "1", "--fields"];
  assert.equal(
    await printed([...fields, "kind,state,attempts"]),
    "KIND\tSTATE\tATTEMPTS\necho\tdone\t1\n",
  );
  const csv = await printed([...fields, "attempts,kind", "-o", "csv"]);
  assert.equal(csv, "attempts,kind\r\n1,echo\r\n");
  const wrong = await daemon.jobctl([...fields, "stat"]);
  assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
  assert.match(wrong.stderr, /"stat": no such field\nhint: Did you mean "state"\? Fields: /);
});

test("JSON keeps numbers, texts and objects apart, by option and by variable", async () => {
  const args = ["schedule", "echo", ...ARGUMENTS, "--wait"];
  const run = JSON.parse(await printed([...args, "-o", "json"]));
  assert.deepEqual([run.state, run.arguments, run.attempts], ["completed", VALUES, 1]);
  assert.deepEqual(run.results, [VALUES]);
  assert.ok(Number.isSafeInteger(run.duration_ms) && run.duration_ms >= 0, run.duration_ms);
  const shown = await printed(["get", "instance", run.id], { JOBCTL_OUTPUT: "json" });
  assert.deepEqual(JSON.parse(shown), run);
  const logs = JSON.parse(await printed(["logs", run.id, "-o", "json"]));
  assert.deepEqual(logs.map(({ instance_id }: { instance_id: string }) => instance_id), [
    run.id,
    run.id,
  ]);
});

test("clients of go-job get its keys, and texts of JSON", async () => {
  const env = { JOBCTL_OUTPUT: "json", JOBCTL_COMPAT: "go-job" };
  const run = JSON.parse(await printed(["schedule", "echo", ...ARGUMENTS, "--wait"], env));
  const texts = ["7", "007", '{"x":1.5,"names":["1","b"]}'];
  assert.deepEqual([run.state, run.arguments], ["Completed", JSON.stringify(texts)]);
  assert.equal(run.id, undefined);
  assert.deepEqual(JSON.parse(run.result_set).map((text: string) => JSON.parse(text)), [VALUES]);
});
