import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { JobState } from "../../../src/rpc/gen/job_pb.ts";
import { type Daemon, startDaemon } from "../../support/processes/daemon.ts";
import { withValkey } from "../../support/servers/valkey_server.ts";
import { linesOf, sleep, until } from "../../support/wait.ts";

/**
 * Faults 101 to 103: whatever happens while a daemon adopts commands, each instance ends, and
 * SIGTERM ends the daemon. `npm run kills` does it hundreds of times.
 */

const COUNT = 12;
const DRAIN_MS = 1_000;
/** What a stop may take longer than its drain, and this machine to show it. */
const STOP_MS_MAX = DRAIN_MS + 5_000 + 1_000;

/** One that has a time limit, and others that note their begin and end and print meanwhile. */
const TOML = `
[worker]
count = ${COUNT + 2}
lease = "60s"
drain = "${DRAIN_MS}ms"
[defaults]
kill_after = "1s"
[jobs.limited]
run = "sleep 60"
timeout = "2s"
[jobs.other]
run = '''
echo "begin $1" >> "$2"
for i in $(seq 10); do seq 20; sleep 0.5; done
echo "end $1" >> "$2"
'''
params = "number: number, file: string"
`;

/** Where the daemons of a test keep what they know. */
type Env = Readonly<Record<string, string>>;

// On etcd: npm run kills -- --commands --store etcd --how timeout-while-down, and
// supervisor-at-start.
const STORES: Readonly<Record<string, (work: (env: Env) => Promise<void>) => Promise<void>>> = {
  SQLite: (work) => work({}),
  Valkey: (work) => withValkey({}, ({ url }) => work(shared(url))),
};

function shared(url: string): Env {
  return { JOBCTL_STORE_URL: url, JOBCTL_NODE_ID: "node-1" };
}

/** When the supervisor is killed, after the start of the next daemon: once before it adopts. */
const ADOPTING_MS: Readonly<Record<string, number>> = { SQLite: 150, Valkey: 300 };

async function submit(daemon: Daemon, file: string): Promise<readonly string[]> {
  const others = Array.from({ length: COUNT }, (_, index) => {
    return { kind: "other", arguments: [String(index + 1), file] };
  });
  const requests = [{ kind: "limited", arguments: [] }, ...others];
  const { instances } = await daemon.client().scheduleJobs({ requests });
  await until("all run", () => linesOf(file).length >= COUNT);
  return instances.map(({ uuid }) => uuid);
}

interface Shown {
  readonly kind: string;
  readonly state: string;
  readonly reason: string;
  readonly attempts: number;
}

async function all(daemon: Daemon): Promise<readonly Shown[]> {
  const { instances } = await daemon.client().lookupInstances({}).catch((error) => {
    throw new Error(daemon.log(), { cause: error });
  });
  return instances.map(({ kind, state, reason = "", attempts = 0 }) => ({
    ...{ kind, state: JobState[state]!.toLowerCase(), reason, attempts },
  }));
}

async function untilAllEnded(daemon: Daemon): Promise<readonly Shown[]> {
  let shown: readonly Shown[] = [];
  await until("all have ended", async () => {
    shown = await all(daemon);
    return shown.every(({ state }) => state !== "processing" && state !== "scheduled");
  }, 60_000);
  return shown;
}

async function stopInTime(daemon: Daemon): Promise<void> {
  const begunMs = performance.now();
  daemon.signal("SIGTERM");
  await daemon.exited;
  const tookMs = performance.now() - begunMs;
  assert.ok(tookMs < STOP_MS_MAX, `it took ${tookMs} ms to stop`);
}

for (const [store, withStore] of Object.entries(STORES)) {
  test(`fault 101: a time limit that passes while no daemon runs ends one command alone, on ${store}`, async () => {
    await withStore(async (env) => {
      let daemon = await startDaemon({ toml: TOML, env });
      try {
        const file = join(daemon.dir, "effects");
        await submit(daemon, file);
        await sleep(1_000);
        await daemon.kill();
        await sleep(1_500);
        daemon = await daemon.restart();
        const shown = await untilAllEnded(daemon);
        const ends = shown.map(({ kind, reason, attempts }) => `${kind} ${reason} ${attempts}`);
        assert.equal(ends.filter((each) => each === "limited timeout 1").length, 1, ends.join());
        const others = ends.filter((each) => each === "other ok 1");
        assert.equal(others.length, COUNT, `${ends.join()}\n${daemon.log()}`);
        assert.equal(linesOf(file).length, 2 * COUNT);
        await stopInTime(daemon);
      } finally {
        await daemon.stop({ force: true });
      }
    });
  });

  test(`fault 102: commands are lost once if their supervisor is killed while a daemon adopts them, on ${store}`, async () => {
    await withStore(async (env) => {
      let daemon = await startDaemon({ toml: TOML.replace("seq 10", "seq 3"), env });
      try {
        const file = join(daemon.dir, "effects");
        await submit(daemon, file);
        const supervisor = supervisorOf(daemon.pid);
        await daemon.kill();
        const restarted = daemon.restart();
        await sleep(ADOPTING_MS[store]!);
        process.kill(supervisor, "SIGKILL");
        daemon = await restarted;
        const others = (await untilAllEnded(daemon)).filter(({ kind }) => kind === "other");
        for (const { state, attempts } of others) {
          assert.equal(state, "completed");
          assert.ok(attempts <= 2, `${attempts} attempts`);
        }
        const begins = linesOf(file).filter((line) => line.startsWith("begin"));
        assert.ok(begins.length <= 2 * COUNT, `${begins.length} began`);
        await stopInTime(daemon);
      } finally {
        await daemon.stop({ force: true });
      }
    });
  });
}

/** A command that ends soon, and a lease that is over long before the next daemon. */
const SOON = `
[worker]
lease = "2s"
[jobs.soon]
run = 'echo begin >> "$1"; sleep 1; echo printed; exit 3'
params = "file: string"
success_codes = [3]
`;

for (const store of ["SQLite", "Valkey"] as const) {
  test(`fault 103: a command that ended while no daemon ran is recorded long after its lease, on ${store}`, async () => {
    await STORES[store]!(async (env) => {
      let daemon = await startDaemon({ toml: SOON, env });
      try {
        const file = join(daemon.dir, "effects");
        const { stdout } = await daemon.ask(["schedule", "soon", file, "-o", "name"]);
        await until("it runs", () => linesOf(file).length === 1);
        await daemon.kill();
        await sleep(6_000);
        daemon = await daemon.restart();
        const [{ reason, attempts } = assert.fail("no instance")] = await untilAllEnded(daemon);
        assert.deepEqual([reason, attempts, linesOf(file)], ["ok", 1, ["begin"]]);
        const { stdout: log } = await daemon.ask(["logs", stdout.trim()]);
        assert.match(log, /printed[^]*Exit code 3 counts as success/);
      } finally {
        await daemon.stop({ force: true });
      }
    });
  });
}

/** The supervisor of a daemon that runs commands as its own user. */
function supervisorOf(daemon: number): number {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ")[1];
      const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (Number(parent) === daemon && argv.includes("__supervisor")) return Number(pid);
    } catch {
      // It has ended meanwhile.
    }
  }
  return assert.fail(`Process ${daemon} has no supervisor`);
}
