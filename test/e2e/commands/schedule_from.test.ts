import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { type Daemon, JOBCTL, startDaemon } from "../../support/processes/daemon.ts";
import { until } from "../../support/wait.ts";

/** More than are queued before the first look. */
const KILLED_LINES = 8_000;
const LATER = '"at": "2031-01-01T09:00:00Z"';

let daemon: Daemon;
before(async () => {
  daemon = await startDaemon({
    modules: { "sum.ts": "export default function sum(x: number, y = 0) { return x + y; }" },
  });
});
after(() => daemon.stop());

/** Write a file beside the configuration, and queue it. */
async function queue(name: string, lines: readonly string[], args: readonly string[] = []) {
  writeFileSync(join(daemon.dir, name), lines.map((line) => `${line}\n`).join(""));
  return await daemon.jobctl(["schedule", "--from", name, ...args]);
}

async function countOf(kind: string): Promise<number> {
  return Number((await daemon.client().countInstances({ query: { kind } })).count);
}

test("jobctl schedule --from queues nothing if a line is wrong, and names each place", async () => {
  const { code, stderr } = await queue("wrong.jsonl", [
    `{"kind": "sum", "arguments": [1], ${LATER}}`,
    '{"kind": "sum", "arguments": ["one"]}',
    "",
    '{"kind": "sume", "arguments": [1]}',
    '{"kind": "sum", "arguments": [1}',
    '{"kind": "sum", "argments": [1]}',
  ]);
  assert.equal(code, 2);
  const places = [...stderr.matchAll(/^wrong\.jsonl:(\d+):(\d+): /gm)].map((found) =>
    found.slice(1).join(":")
  );
  assert.deepEqual(places, ["2:30", "4:10", "5:32", "6:29"]);
  assert.match(stderr, /"one" is not a number[^]*Did you mean "sum"\?[^]*Did you mean "arguments"/);
  assert.match(stderr, /wrong\.jsonl: 4 problems\. Nothing was queued/);
  assert.equal(await countOf("sum"), 0);
});

test("jobctl schedule --from queues each line once, however often it is run", async () => {
  const lines = Array.from({ length: 2_500 }, (_, x) => `{"arguments": {"x": ${x}}, ${LATER}}`);
  const dry = await queue("many.jsonl", lines, ["--dry-run", "sum"]);
  assert.deepEqual(JSON.parse(dry.stdout), {
    ...{ file: "many.jsonl", lines: 2_500, queued: 0, existing: 0 },
  });
  const first = await queue("many.jsonl", lines, ["sum"]);
  assert.deepEqual([first.code, JSON.parse(first.stdout).queued], [0, 2_500], first.stderr);
  // The same bytes from stdin are the same instances.
  const text = lines.map((line) => `${line}\n`).join("");
  const again = await daemon.jobctl(["schedule", "sum", "--from", "-"], { input: text });
  assert.deepEqual(JSON.parse(again.stdout), {
    ...{ file: "stdin", lines: 2_500, queued: 0, existing: 2_500 },
  });
  assert.equal(await countOf("sum"), 2_500);
  const other = await queue("many.jsonl", lines.slice(0, 10), ["sum", "--batch", "tuesday"]);
  assert.equal(JSON.parse(other.stdout).queued, 10);
});

test("jobctl schedule --from continues where it was killed", async () => {
  const line = (x: number) => `{"kind": "sum", "arguments": [${x}, 7], ${LATER}}`;
  const lines = Array.from({ length: KILLED_LINES }, (_, x) => line(x));
  writeFileSync(join(daemon.dir, "killed.jsonl"), lines.join("\n"));
  const before = await countOf("sum");
  const env = { ...process.env, JOBCTL_PORT: String(daemon.port) };
  const client = spawn(JOBCTL, ["schedule", "--from", "killed.jsonl"], {
    cwd: daemon.dir,
    env: { ...env, JOBCTL_TOKEN_FILE: join(daemon.dir, "token"), JOBCTL_SOCKET: "none" },
    stdio: "ignore",
  });
  const ended = once(client, "exit");
  await until("some are queued", async () => await countOf("sum") > before, 60_000);
  client.kill("SIGKILL");
  await ended;
  const { code, stdout, stderr } = await daemon.jobctl(["schedule", "--from", "killed.jsonl"]);
  assert.equal(code, 0, stderr);
  const { queued, existing } = JSON.parse(stdout);
  assert.ok(existing > 0, stdout);
  assert.equal(queued + existing, KILLED_LINES);
  assert.equal(await countOf("sum"), before + KILLED_LINES);
});
