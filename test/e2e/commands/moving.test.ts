import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { MovingDaemon } from "../../support/processes/moving_daemon.ts";
import { runJobctl } from "../../support/processes/daemon.ts";
import { startEtcd } from "../../support/servers/etcd_server.ts";
import { startValkey } from "../../support/servers/valkey_server.ts";
import { sleep } from "../../support/wait.ts";

const COUNT = 60;
/** `npm run slow -- moves` has more moments, and more ways between the stores. */
const IS_WHOLE = process.env["JOBCTL_MOVES"] === "all";
/** When the command is killed, after its start. */
const KILLED_MS = IS_WHOLE ? [50, 100, 150, 200, 300, 400, 600, 900] : [150, 300];

async function withMoving(
  body: (moving: MovingDaemon) => Promise<void>,
  options: Parameters<typeof MovingDaemon.start>[1] = {},
): Promise<void> {
  const moving = await MovingDaemon.start(COUNT, options);
  try {
    await body(moving);
  } finally {
    await moving.stop();
  }
}

test("store migrate moves a daemon's store while jobs run: nothing is lost and nothing runs twice", () =>
  withMoving(async (moving) => {
    const url = `sqlite:${join(moving.daemon.dir, "new.db")}`;
    await moving.begun(20);
    const { code, stdout, stderr } = await moving.move("new");
    assert.equal(code, 0, stderr);
    const { source, target, to } = JSON.parse(stdout);
    assert.equal(to, url);
    assert.deepEqual(source, target);
    const refused = await moving.daemon.jobctl(["schedule", "append", "x", "1"]);
    assert.equal(refused.code, 7);
    assert.match(refused.stderr, /moved to sqlite:/);
    const status = await moving.daemon.jobctl(["status", "-o", "table"]);
    assert.match(status.stdout, /Store problem: +it moved to sqlite:.*restart the daemon/);
    await moving.daemon.logged(/WARN +The store: it moved to sqlite:/);
    // The old store is refused by name, and the command says so when it is given again.
    const again = await moving.move("new");
    assert.equal(JSON.parse(again.stdout).is_repeated, true);
    await assert.rejects(moving.restart(), /its data moved to sqlite:/);
    await moving.restart(url);
    await moving.check({ isOnce: true });
    const verified = await moving.daemon.jobctl(["store", "verify"]);
    assert.equal(verified.code, 0, verified.stdout);
  }));

/** From one machine to several, and back: all daemons restart on the new store. */
test("store migrate moves what a daemon has to Valkey, where two share it, to etcd, and back to a file", async () => {
  const [valkey, etcd] = [await startValkey({ appendonly: true }), await startEtcd()];
  try {
    await withMoving(async (moving) => {
      const move = async (to: string) => {
        const { code, stdout, stderr } = await moving.move(to);
        assert.equal(code, 0, stderr);
        const { source, target } = JSON.parse(stdout);
        assert.deepEqual(source, target);
      };
      await moving.begun(20);
      await move("valkey");
      await moving.restart(valkey.url);
      await moving.check({ isOnce: true });
      let peer = await moving.startPeer(valkey.url);
      try {
        // Both run them while their store moves.
        await moving.add(COUNT);
        await moving.begun(COUNT + 20);
        await move("etcd");
        const refused = await peer.jobctl(["schedule", "append", "x", "1"]);
        assert.equal(refused.code, 7, refused.stderr);
        await peer.stop();
        peer = await moving.startPeer(etcd.url);
        await moving.restart(etcd.url);
        await moving.check({ isOnce: true });
        const verified = await moving.daemon.jobctl(["store", "verify"]);
        assert.equal(verified.code, 0, verified.stdout);
      } finally {
        await peer.stop({ force: true });
      }
      await move("back");
      await moving.restart(`sqlite:${join(moving.daemon.dir, "back.db")}`);
      await moving.check({ isOnce: true });
    }, { targets: { valkey: valkey.url, etcd: etcd.url } });
  } finally {
    await valkey.close();
    await etcd.close();
  }
});

/** The other ways between the stores, with `npm run slow -- moves`. */
const SERVERS = {
  Valkey: () => startValkey({ appendonly: true }),
  etcd: () => startEtcd(),
} as const;

for (const [name, start] of IS_WHOLE ? Object.entries(SERVERS) : []) {
  test(`store migrate moves a daemon's store to ${name} while jobs run, and back`, async () => {
    const server = await start();
    try {
      await withMoving(async (moving) => {
        await moving.begun(20);
        const { code, stdout, stderr } = await moving.move("shared");
        assert.equal(code, 0, stderr);
        const { source, target } = JSON.parse(stdout);
        assert.deepEqual(source, target);
        await moving.restart(server.url);
        await moving.check({ isOnce: true });
        const back = `sqlite:${join(moving.daemon.dir, "back.db")}`;
        const again = await moving.move("back");
        assert.equal(again.code, 0, again.stderr);
        await moving.restart(back);
        await moving.check({ isOnce: true });
      }, { targets: { shared: server.url } });
    } finally {
      await server.close();
    }
  });
}

test("store migrate joins the move that goes on after kill -9 of the command", () =>
  withMoving(async (moving) => {
    await moving.begun(20);
    for (const afterMs of KILLED_MS) {
      await moving.moveAndKill("new", afterMs);
      const [one, other] = await Promise.all([moving.move("new"), moving.move("new")]);
      assert.deepEqual([one.code, other.code], [0, 0], one.stderr + other.stderr);
      if (afterMs === KILLED_MS.at(-1)) break;
      const undone = await moving.daemon.jobctl(["store", "migrate", "--undo", "--yes"]);
      assert.equal(undone.code, 0, undone.stderr);
      for (const file of ["", "-commits", "-owner"]) {
        rmSync(join(moving.daemon.dir, `new.db${file}`), { force: true });
      }
    }
    await moving.restart(`sqlite:${join(moving.daemon.dir, "new.db")}`);
    await moving.check({ isOnce: true });
  }));

test("store migrate goes on after kill -9 of the command and of the daemon", () =>
  withMoving(async (moving) => {
    const url = `sqlite:${join(moving.daemon.dir, "new.db")}`;
    await moving.begun(20);
    for (const afterMs of [30, 60, 90]) await moving.moveAndKill("new", afterMs);
    const killed = moving.move("new");
    await sleep(80);
    await moving.daemon.kill();
    await killed;
    // Whatever was reached: either store is the one to use, and the command says which.
    const { code, stdout, stderr } = await runJobctl(
      ["store", "migrate", "--to", url, "--yes", "--store", oldUrl(moving)],
      { cwd: moving.daemon.dir },
    );
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).to, url);
    await moving.restart(url);
    await moving.check({ isOnce: false });
  }));

test("store backup of a running daemon is restored into an empty store", () =>
  withMoving(async (moving) => {
    const { dir } = moving.daemon;
    await moving.begun(20);
    const saved = await moving.daemon.jobctl(["store", "backup", "jobs.jsonl.gz"]);
    assert.equal(saved.code, 0, saved.stderr);
    await moving.daemon.kill();
    const url = `sqlite:${join(dir, "restored.db")}`;
    const restore = ["store", "restore", "jobs.jsonl.gz", "--store", url];
    const restored = await runJobctl(restore, { cwd: dir });
    assert.equal(restored.code, 0, restored.stderr);
    const again = await runJobctl(restore, { cwd: dir });
    assert.equal(again.code, 6, again.stderr);
    // The file that was lost had commits: a backup is the remedy.
    rmSync(join(dir, "restored.db"));
    const lost = await runJobctl(["store", "info", "--store", url], { cwd: dir });
    assert.equal(lost.code, 7, lost.stderr);
    assert.match(lost.stderr, /commits up to .* are missing[^]*store restore/);
    assert.equal((await runJobctl(restore, { cwd: dir })).code, 0);
    await moving.restart(url);
    await moving.check({ isOnce: false });
  }));

function oldUrl(moving: MovingDaemon): string {
  return `sqlite:${join(moving.daemon.dir, "data", "jobctl.db")}`;
}
