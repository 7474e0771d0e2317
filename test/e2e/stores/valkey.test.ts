import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { withValkey } from "../../support/servers/valkey_server.ts";
import {
  readiness,
  scheduleAppend,
  stateOf,
  troubleOf,
  withStoreDaemon,
} from "../../support/processes/store_daemon.ts";
import { linesOf, sleep, until } from "../../support/wait.ts";

/** The compiled file on a real Valkey that stops or loses its data. */

test("fault 15: an idle daemon logs in a few lines that its server is unreachable, and continues when it is back", async () => {
  await withValkey({ appendonly: true, config: { appendfsync: "always" } }, async (server) => {
    await withStoreDaemon(server.url, async (daemon) => {
      assert.deepEqual(await readiness(daemon), { status: 200, text: "ready\n" });
      await server.kill();
      await until("it is not ready", async () => (await readiness(daemon)).status === 503);
      const { text } = await readiness(daemon);
      assert.match(text, /^the store does not respond: Cannot reach the store valkey:\/\/127/);
      await sleep(2_000);
      // One warning of its own, and one for each readiness request.
      const trouble = troubleOf(daemon).filter((line) => !line.includes("an HTTP request"));
      assert.ok(trouble.length <= 3, trouble.join("\n"));
      await server.start();
      await until("it is ready", async () => (await readiness(daemon)).status === 200);
      const file = join(daemon.dir, "effects");
      const id = await scheduleAppend(daemon, file);
      await until("it is done", async () => await stateOf(daemon, id) === "completed");
    });
  });
});

test("fault 18: while the server is unreachable, jobs stop before their lease expires and requests fail within 5 s; later the jobs run again", async () => {
  const env = { JOBCTL_WORKER_LEASE: "3s", JOBCTL_DEFAULTS_KILL_AFTER: "1s" };
  await withValkey({ appendonly: true }, async (server) => {
    await withStoreDaemon(server.url, async (daemon) => {
      const file = join(daemon.dir, "effects");
      const callFrom = performance.now();
      const id = await scheduleAppend(daemon, file, "6000");
      const callMs = performance.now() - callFrom;
      await until("it runs", () => linesOf(file).length === 1);
      await server.kill();
      const before = performance.now();
      // A request that failed without an answer may have been executed.
      const { code } = await daemon.ask(["schedule", "append", `${file}-refused`]);
      assert.equal(code, 7);
      const tookMs = performance.now() - before;
      // Beside other work, each call takes longer.
      assert.ok(tookMs < 5_500 + callMs, `${tookMs} ms; a call took ${callMs} ms`);
      assert.deepEqual(linesOf(file), ["started", "aborted"]);
      await server.start();
      await until("it ran again", async () => await stateOf(daemon, id) === "completed", 40_000);
      const lines = linesOf(file);
      assert.deepEqual(lines.slice(0, 3), ["started", "aborted", "started"]);
      // A busy machine may have taken the short lease once more.
      assert.equal(lines.at(-1), "ended");
    }, { env });
  });
});

test("fault 19: a start without the server fails with the reason, or waits as configured", async () => {
  await withValkey({ appendonly: true }, async (server) => {
    await server.stop();
    await assert.rejects(withStoreDaemon(server.url, async () => {}), (error) => {
      assert.match(String(error), /ended at once \(7\)/);
      assert.match(String(error), /Cannot reach the store valkey:\/\/127/);
      return true;
    });
    const env = { JOBCTL_STORE_START_WAIT: "20s" };
    const waiting = withStoreDaemon(server.url, async (daemon) => {
      assert.equal((await readiness(daemon)).status, 200);
    }, { env });
    await sleep(500);
    await server.start();
    await waiting;
  });
});

test("fault 23: a daemon whose server came back empty refuses every request with the reason", async () => {
  await withValkey({}, async (server) => {
    await withStoreDaemon(server.url, async (daemon) => {
      const file = join(daemon.dir, "effects");
      await scheduleAppend(daemon, file);
      await until("it ran", () => linesOf(file).length === 2);
      await server.kill();
      await server.start();
      await until("it is found again", async () => {
        const { text } = await readiness(daemon);
        return text.includes("other data");
      });
      const { code, stderr } = await daemon.ask(["schedule", "append", file]);
      assert.equal(code, 7);
      assert.match(stderr, /it has other data than when this node joined, or none/);
      assert.match(stderr, /Restart the daemon/);
      assert.equal(linesOf(file).length, 2);
      // We wrote nothing to it.
      assert.equal(await server.cli("dbsize"), "0");
    });
  });
});
