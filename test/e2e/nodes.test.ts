import assert from "node:assert/strict";
import { hostname } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { type ClusterServer, startClusterServer } from "../support/cluster/cluster.ts";
import { type Daemon, runJobctl, startDaemon } from "../support/processes/daemon.ts";
import { sleep, until } from "../support/wait.ts";

const LEASE_MS = 1_500;
const HANG = `
export default async function hang(): Promise<void> {
  console.log("begun");
  await new Promise((done) => setTimeout(done, 60_000));
}
`;

const STORES = ["valkey", "etcd"] as const;
const servers = new Map<string, ClusterServer>();
let count = 0;

before(async () => {
  for (const store of STORES) servers.set(store, await startClusterServer(store));
});
after(async () => {
  for (const server of servers.values()) await server.close();
});

/** A store of its own on one of the servers. */
interface World {
  readonly url: string;
  readonly prefix: string;
}

function newWorld(store: string): World {
  count += 1;
  return { url: servers.get(store)!.url, prefix: `w${count}` };
}

/** A daemon; those of one world share a store. */
function start(
  world: World,
  id: string,
  options: { readonly workers?: number; readonly tags?: string } = {},
): Promise<Daemon> {
  const { workers = 2, tags = "" } = options;
  return startDaemon({
    toml: [
      `[node]\nid = "${id}"\ntags = [${tags}]`,
      `[worker]\ncount = ${workers}\nlease = "${LEASE_MS}ms"`,
      '[jobs.render]\nrun = "true"\nneeds = "gpu"',
    ].join("\n"),
    modules: { "hang.ts": HANG },
    env: { JOBCTL_STORE_URL: world.url, JOBCTL_STORE_PREFIX: world.prefix, JOBCTL_SERVER_HTTP: "" },
  });
}

async function json(daemon: Daemon, ...args: string[]) {
  const { code, stdout, stderr } = await daemon.jobctl([...args, "-o", "json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

for (const store of STORES) {
  test(`fault 32 on ${store}: a second daemon with one id is refused by host and process, and one after a kill -9 is not`, async () => {
    const world = newWorld(store);
    const first = await start(world, "same");
    try {
      const second = await runJobctl(["serve", "--config", "config.toml"], {
        cwd: first.dir,
        env: {
          JOBCTL_STORE_URL: world.url,
          JOBCTL_STORE_PREFIX: world.prefix,
          JOBCTL_SERVER_PORT: "0",
          JOBCTL_SERVER_HTTP: "",
          JOBCTL_SERVER_SOCKET: join(first.dir, "second.sock"),
        },
      });
      assert.equal(second.code, 6, second.stderr);
      assert.match(second.stderr, new RegExp(`pid ${first.pid} on host "${hostname()}"`));
      assert.match(second.stderr, /node\.id/);
      await first.ask(["schedule", "hang"]);
      await until("it runs", async () => (await json(first, "status")).workers.busy === 1);
      const killedAt = Date.now();
      await first.kill();
      const third = await first.restart();
      try {
        await third.logged(/is dead: taking over/);
        await until("it runs again", async () => (await json(third, "status")).workers.busy === 1);
        const [instance] = await json(third, "list", "instances");
        assert.deepEqual([instance.attempts, instance.crashes], [2, 1]);
        assert.ok(
          Date.parse(instance.processed_at) - killedAt < LEASE_MS,
          "before the lease ended",
        );
      } finally {
        await third.stop({ force: true });
      }
    } finally {
      await first.stop({ force: true });
    }
  });

  test(`fault 11 on ${store}: a frozen daemon whose id another took ends and says why`, async () => {
    const world = newWorld(store);
    const frozen = await start(world, "same");
    try {
      await frozen.ask(["schedule", "hang"]);
      await until("it runs", async () => (await json(frozen, "status")).workers.busy === 1);
      frozen.signal("SIGSTOP");
      await sleep(LEASE_MS + 500);
      const other = await start(world, "same");
      try {
        await until(
          "it was taken over",
          async () => (await json(other, "status")).workers.busy === 1,
        );
        frozen.signal("SIGCONT");
        assert.equal((await frozen.exited).code, 6);
        await frozen.logged(new RegExp(`pid ${other.pid} on host .* took its id`));
        const nodes = await json(other, "list", "nodes");
        assert.deepEqual(
          nodes.map((node: { id: string; state: string; pid: number }) => [
            node.id,
            node.state,
            node.pid,
          ]),
          [["same", "live", other.pid]],
        );
      } finally {
        await other.stop({ force: true });
      }
    } finally {
      await frozen.stop({ force: true });
    }
  });
}

test("any node shows and steers what runs on another, and says what none runs", async () => {
  const world = newWorld("valkey");
  const idle = await start(world, "idle", { workers: 0 });
  const busy = await start(world, "busy", { tags: '"eu"' });
  try {
    const following = idle.ask(["schedule", "hang", "--wait", "--follow"]);
    await until("it runs", async () => (await json(busy, "status")).workers.busy === 1);
    const [instance] = await json(idle, "list", "instances");
    assert.equal(instance.node, "busy");
    await until("it is seen", async () => {
      const [node] = await json(idle, "list", "nodes");
      return node.id === "busy" && node.busy === 1 && node.tags[0] === "eu";
    });
    assert.equal((await idle.ask(["cancel", instance.uuid, "--yes"])).code, 0);
    const { code, stdout, stderr } = await following;
    assert.equal(code, 3, stderr);
    assert.match(stdout + stderr, /begun/);
    await idle.ask(["workers", "scale", "5", "--node", "busy"]);
    await until("it is scaled", async () => (await json(busy, "workers", "get")).count === 5);
    const waiting = await idle.ask(["schedule", "render"]);
    assert.equal(waiting.code, 0, waiting.stderr);
    const table = await busy.ask(["list", "instances", "--kind", "render", "-o", "table"]);
    assert.match(table.stdout, /waiting: no node/);
    const able = await start(world, "able", { tags: '"gpu"' });
    try {
      await until("it ran", async () => {
        const [one] = await json(idle, "list", "instances", "--kind", "render");
        return one.state === "completed" && one.node === "able";
      });
    } finally {
      await able.stop({ force: true });
    }
  } finally {
    await Promise.all([idle, busy].map((daemon) => daemon.stop({ force: true })));
  }
});
