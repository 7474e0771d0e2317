import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, startDaemon } from "../../support/processes/daemon.ts";

const KINDS = ["hello (no input and no return)", 'say "hi", 100% *now*', "-../日本 🙂"];

const TOML = KINDS.map((kind) => `
[jobs.${JSON.stringify(kind)}]
run = "echo done"
schedule = "0 3 * * *"
concurrency = 1`).join("\n");

async function json(daemon: Daemon, ...args: readonly string[]) {
  const [words, dashed = []] = args.includes("--")
    ? [args.slice(0, args.indexOf("--")), args.slice(args.indexOf("--"))]
    : [args];
  const { code, stdout, stderr } = await daemon.jobctl([...words, "-o", "json", ...dashed]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

test("kinds of any printable text work in the configuration, the CLI, metrics and tokens", async () => {
  const daemon = await startDaemon({ toml: TOML, env: { JOBCTL_SERVER_HTTP: "127.0.0.1:0" } });
  try {
    for (const kind of KINDS) {
      const { uuid } = await json(daemon, "schedule", "--wait", "--", kind);
      // A comma of a kind is told from one of the list by a backslash.
      const wanted = `--kind=${kind.replaceAll(",", "\\,")}`;
      const listed = await json(daemon, "list", "instances", wanted);
      assert.deepEqual(listed.map(({ uuid }: { uuid: string }) => uuid), [uuid], kind);
    }
    const [first, , last] = KINDS as [string, string, string];
    assert.equal((await json(daemon, "describe", "job", "--", last)).kind, last);
    assert.equal((await json(daemon, "pause", "--", last)).kind, last);
    const config = join(daemon.dir, "config.toml");
    const [next] = await json(daemon, "next", first, "-n", "1", "--config", config);
    assert.match(next.at, /T03:00:00/);
    assert.equal((await json(daemon, "explain", first))[0].kind, first);
    const page = await (await fetch(`http://127.0.0.1:${daemon.httpPort}/metrics`)).text();
    for (const kind of KINDS) {
      const label = kind.replaceAll('"', '\\"');
      assert.ok(page.includes(`go_job_executed_total{kind="${label}"} 1`), kind);
    }
    const file = join(daemon.dir, "tokens.json");
    const created = await daemon.jobctl([
      ...["token", "new", "ops", "--role", "operator", "--tokens-file", file],
      ...["--jobs", 'hello (*,say "hi"\\, 100% \\*now\\*'],
    ]);
    assert.equal(created.code, 0, created.stderr);
  } finally {
    await daemon.stop();
  }
});
