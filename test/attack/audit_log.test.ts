import assert from "node:assert/strict";
import test from "node:test";
import { startDaemon } from "../support/daemon.ts";
import { until } from "../support/wait.ts";

/** The daemon's log has the changes that callers made, and no others. */

const TOML = `
[jobs.flaky]
run = "exit 3"
retry = 0
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
    assert.equal((await client.cancelInstances({ query })).count, 1n);
    await until("the log has the cancellation", () => daemon.log().includes("Canceled instances"));
    const logged = daemon.log().match(/(Ran dead letters again|Canceled instances) count=\d+/g);
    assert.deepEqual(logged, [
      "Ran dead letters again count=1",
      "Ran dead letters again count=1",
      "Canceled instances count=1",
    ]);
  } finally {
    await daemon.stop({ force: true });
  }
});
