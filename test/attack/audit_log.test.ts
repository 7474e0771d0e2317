import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { userName } from "../../src/platform/system/accounts.ts";
import { startDaemon } from "../support/processes/daemon.ts";
import { until } from "../support/wait.ts";

/** The daemon's log has the changes that callers made, and no others. */

const TOML = `
[jobs.flaky]
run = "exit 3"
retry = 0
[jobs."one,two"]
run = "exit 0"
`;

test("the log tells of no cancellation and no re-run that changed nothing", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    const client = daemon.client();
    const query = { kind: "flaky" };
    const { instance } = await client.scheduleJob({ kind: "flaky" });
    const { uuid } = instance!;
    await client.waitInstance({ uuid, waitMs: 20_000n });
    const jobctl = async (...args: readonly string[]) => {
      const { code, stderr } = await daemon.jobctl(args);
      assert.equal(code, 0, stderr);
    };
    await jobctl("redrive", uuid);
    await jobctl("redrive", uuid);
    const { instances } = await client.redriveInstances({ query: { uuid } });
    await client.waitInstance({ uuid: instances[0]!.uuid, waitMs: 20_000n });
    // What is run again waits, so that it is no dead letter again.
    await client.pause({ kind: "flaky" });
    await jobctl("redrive", "--kind", "flaky", "--yes");
    assert.equal((await client.cancelInstances({ query: { uuid } })).count, 0n);
    assert.equal((await client.redriveInstances({ query })).count, 0n);
    const kinds = ["one,two", "flaky"];
    assert.equal((await client.cancelInstances({ query: { kinds } })).count, 1n);
    await until("the log has the cancellation", () => daemon.log().includes("Canceled instances"));
    const logged = daemon.log().match(/(Ran dead letters again|Canceled instances) count=\d+/g);
    assert.deepEqual(logged, [
      "Ran dead letters again count=1",
      "Ran dead letters again count=1",
      "Canceled instances count=1",
    ]);
    // Two kinds, and no third one that the comma makes.
    assert.match(daemon.log(), /Canceled instances count=1 kind="one\\\\,two,flaky" by=/);
  } finally {
    await daemon.stop({ force: true });
  }
});

test("the log names who created a schedule, and who asked for a reload, also if it is refused", async () => {
  const daemon = await startDaemon({ toml: TOML });
  try {
    const uid = process.getuid!();
    // Over the socket, where the kernel names the caller.
    const jobctl = (...args: readonly string[]) =>
      daemon.jobctl(args, { env: { JOBCTL_TOKEN_FILE: undefined } });
    const cron = ["schedule", "flaky", "--cron", "0 5 * * *", "-o", "json"];
    assert.equal((await jobctl(...cron, "--dry-run")).code, 0);
    const { stdout, stderr } = await jobctl(...cron);
    const { id } = JSON.parse(stdout || stderr);
    const by = `by=${userName(uid)} uid=${uid} from=unix:`;
    const created = `INFO  Created a schedule kind=flaky schedule=${id} cron="0 5 * * *" ${by}`;
    await until("the schedule is logged", () => daemon.log().includes(created));
    assert.equal(daemon.log().split("Created a schedule").length - 1, 1);

    const config = join(daemon.dir, "config.toml");
    const text = readFileSync(config, "utf8");
    writeFileSync(config, "x = [\n");
    assert.equal((await jobctl("reload")).code, 2);
    const asked = `INFO  Requested a reload force=false dry_run=false ${by}`;
    await until("the request is logged", () => daemon.log().includes(asked));
    const log = daemon.log();
    assert.ok(log.indexOf(asked) < log.indexOf("The config was not reloaded"), log);
    assert.match(log, /ERROR not TOML: .* place=\S*config\.toml:\d+:\d+/);

    writeFileSync(config, text);
    daemon.signal("SIGHUP");
    await until("it is loaded again", () => daemon.log().includes("The config was reloaded"));
    assert.match(daemon.log(), /INFO {2}Requested a reload by=SIGHUP\n[^]*The config was reloaded/);
  } finally {
    await daemon.stop({ force: true });
  }
});
