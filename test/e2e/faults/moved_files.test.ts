import assert from "node:assert/strict";
import { existsSync, linkSync, readFileSync, renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { type Daemon, startDaemon } from "../../support/processes/daemon.ts";
import { withTempDir } from "../../support/temp_dir.ts";
import { until } from "../../support/wait.ts";

/** Row 104 of the fault catalogue, on the compiled file. */

const TOML = `
[jobs.ok]
command = ["true"]
`;
/** A channel that appends its notices to a file. */
const channelTo = (file: string) => `
[notices.ops]
to = "exec"
command = ["/bin/sh", "-c", "cat >> '${file}'"]
`;
/** Time until it is known, with room for a busy machine. */
const KNOWN_MS_MAX = 5_000;

async function ready(daemon: Daemon): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${daemon.httpPort}/readyz`);
  return `${response.status} ${await response.text()}`;
}

/** What is done to the file, and what takes it back. */
const CHANGES: readonly (readonly [what: string, change: (file: string) => () => void])[] = [
  ["is removed", (file) => {
    renameSync(file, `${file}.away`);
    return () => renameSync(`${file}.away`, file);
  }],
  ["was given a second name", (file) => {
    linkSync(file, `${file}.other`);
    return () => unlinkSync(`${file}.other`);
  }],
];

for (const [what, change] of CHANGES) {
  test(`fault 104: the database ${what} under an idle daemon, which refuses, reports and goes on`, () =>
    withTempDir({}, async ({ path }) => {
      const notices = join(path, "notices.txt");
      const daemon = await startDaemon({ toml: TOML + channelTo(notices) });
      const file = join(daemon.dir, "data", "jobctl.db");
      const events = () => existsSync(notices) ? readFileSync(notices, "utf8") : "";
      try {
        const { stdout } = await daemon.ask(["schedule", "ok", "--wait"]);
        const before = JSON.parse(stdout).uuid as string;
        const read = () => daemon.ask(["get", "instance", before]);
        assert.equal((await read()).code, 0);
        assert.match(await ready(daemon), /^200 /);
        const begun = performance.now();
        const undo = change(file);
        const refused = await daemon.ask(["schedule", "ok"]);
        assert.equal(refused.code, 7, refused.stderr);
        assert.ok(refused.stderr.includes(`"${file}" was `), refused.stderr);
        assert.match(await ready(daemon), /^503 .*jobctl\.db" was /);
        // Doctor waits only briefly for a daemon, which may be late on a busy machine.
        await until("doctor says so", async () => {
          const { findings } = JSON.parse((await daemon.jobctl(["doctor"])).stdout);
          return findings.some(({ level, text }: { level: string; text: string }) =>
            level === "error" && /jobctl\.db" was /.test(text)
          );
        });
        await daemon.logged(/ERROR.*jobctl\.db" was /i);
        await until("it is notified", () => /"event": ?"store"/.test(events()));
        const knownMs = performance.now() - begun;
        assert.ok(knownMs < KNOWN_MS_MAX, `known after ${knownMs} ms`);
        assert.equal((await read()).code, 0, "what is there is still read");
        undo();
        await until("it is ready", async () => (await ready(daemon)).startsWith("200 "));
        const after = await daemon.ask(["schedule", "ok", "--wait"]);
        assert.equal(after.code, 0, after.stderr);
        await until("the end is notified", () => /"event": ?"recovered"/.test(events()));
      } finally {
        await daemon.stop();
      }
    }));
}

test("fault 104: what a daemon has is backed up when its database was deleted", async () => {
  const daemon = await startDaemon({ toml: TOML });
  const file = join(daemon.dir, "data", "jobctl.db");
  try {
    const { stdout } = await daemon.ask(["schedule", "ok", "--wait"]);
    unlinkSync(file);
    const backup = join(daemon.dir, "saved.jsonl");
    const saved = await daemon.jobctl(["store", "backup", backup]);
    assert.equal(saved.code, 0, saved.stderr);
    assert.ok(readFileSync(backup, "utf8").includes(JSON.parse(stdout).uuid));
  } finally {
    await daemon.stop();
  }
});
