import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { withEtcd } from "../../support/servers/etcd_server.ts";
import {
  readiness,
  scheduleAppend,
  stateOf,
  troubleOf,
  withStoreDaemon,
} from "../../support/processes/store_daemon.ts";
import { linesOf, sleep, until } from "../../support/wait.ts";

/** The compiled file on a real etcd that goes away or is emptied. */

test("faults 15 and 18: without etcd jobs end before their lease does and requests are refused in 5 s; then they run again", async () => {
  const env = { JOBCTL_WORKER_LEASE: "3s", JOBCTL_DEFAULTS_KILL_AFTER: "1s" };
  await withEtcd({}, async (server) => {
    await withStoreDaemon(server.url, async (daemon) => {
      const [member] = server.members;
      const file = join(daemon.dir, "effects");
      const id = await scheduleAppend(daemon, file, "4500");
      await until("it runs", () => linesOf(file).length === 1);
      await member!.kill();
      const before = performance.now();
      // What was refused so may have been done, and its commit may come with the server: it writes
      // elsewhere.
      const { code, stderr } = await daemon.ask(["schedule", "append", `${file}-refused`]);
      assert.equal(code, 7);
      assert.match(stderr, /the request may have been carried out/);
      assert.ok(performance.now() - before < 6_500, `${performance.now() - before}`);
      await until("it is aborted", () => linesOf(file).length === 2, 3_000);
      assert.deepEqual(linesOf(file), ["started", "aborted"]);
      assert.match(
        (await readiness(daemon)).text,
        /^the store does not respond: Cannot reach etcd/,
      );
      const trouble = troubleOf(daemon);
      assert.ok(trouble.length <= 10, trouble.join("\n"));
      await member!.start();
      await until("it ran again", async () => await stateOf(daemon, id) === "completed", 40_000);
      assert.deepEqual(linesOf(file), ["started", "aborted", "started", "ended"]);
      assert.deepEqual(await readiness(daemon), { status: 200, text: "ready\n" });
    }, { env });
  });
});

test("fault 19: a start without etcd ends with what is wrong, or waits as it was told", async () => {
  await withEtcd({}, async (server) => {
    await server.members[0]!.kill();
    await assert.rejects(withStoreDaemon(server.url, async () => {}), (error) => {
      assert.match(String(error), /ended at once \(7\)/);
      assert.match(String(error), /at etcd 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
      return true;
    });
    const env = { JOBCTL_STORE_START_WAIT: "20s" };
    const waiting = withStoreDaemon(server.url, async (daemon) => {
      assert.equal((await readiness(daemon)).status, 200);
    }, { env });
    await sleep(500);
    await server.members[0]!.start();
    await waiting;
  });
});

test("a daemon whose keys were deleted on etcd says so, and serves no empty state", async () => {
  await withEtcd({}, async (server) => {
    await withStoreDaemon(server.url, async (daemon) => {
      const file = join(daemon.dir, "effects");
      const id = await scheduleAppend(daemon, file);
      await until("it is done", async () => await stateOf(daemon, id) === "completed");
      await server.ctl("del", "--prefix", "jobctl/");
      await until("it is refused", async () => {
        const { code, stderr } = await daemon.ask(["list", "instances", "-o", "json"]);
        return code !== 0 && /gone|other store|another store|emptied/.test(stderr);
      }, 10_000);
      // Its node is told of it too, and it stays, for nobody to restart it on what is there now.
      await until("it says why", async () => /gone/.test((await readiness(daemon)).text), 5_000);
      await sleep(1_500);
      const { stderr } = await daemon.ask(["schedule", "append", file]);
      assert.match(stderr, /its data is gone|emptied/);
    }, { env: { JOBCTL_WORKER_LEASE: "3s" } });
  });
});
