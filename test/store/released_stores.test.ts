import assert from "node:assert/strict";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseStoreUrl } from "../../src/core/settings/store_address.ts";
import { STORE_DEFAULTS } from "../../src/core/settings/store_config.ts";
import { readBackup } from "../../src/maintenance/backup_file.ts";
import { restoreBackup } from "../../src/maintenance/restore.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { createStore } from "../../src/store/opening/open_store.ts";
import { type Store, STORE_FORMAT } from "../../src/store/store.ts";
import { loadEtcd, loadValkey, type ServerData } from "../support/released/server_data.ts";
import { startEtcd } from "../support/servers/etcd_server.ts";
import { startValkey } from "../support/servers/valkey_server.ts";
import { withTempDir } from "../support/temp_dir.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/stores", import.meta.url));
const VERSIONS = readdirSync(FIXTURES).filter((name) => /^\d/.test(name)).sort();

const HOUR = 3_600_000;
const MINUTE = 60_000;
const KINDS = new Set(["mail", "import", "report", "paused", "long"]);

/** A time an hour after that of the fixtures, which the tests move. */
class Now {
  ms = 5 * HOUR;
  readonly at = () => ({ wallMs: Date.UTC(2026, 0, 1) + this.ms, monotonicMs: this.ms });
}

/** The data of a released version, and the ways to it. */
interface Released {
  readonly url: string;
  end(): Promise<void>;
}

type Load = (folder: string, temp: string) => Promise<Released>;

const lines = (path: string): ServerData => readFileSync(path, "utf8").trimEnd().split("\n");

const LOADS: Readonly<Record<string, Load>> = {
  async SQLite(folder, temp) {
    copyFileSync(join(folder, "jobctl.db"), join(temp, "jobctl.db"));
    return { url: `sqlite:${join(temp, "jobctl.db")}`, async end() {} };
  },
  async Valkey(folder) {
    const server = await startValkey();
    await loadValkey(server, lines(join(folder, "valkey.jsonl")));
    return { url: server.url, end: () => server.close() };
  },
  async etcd(folder) {
    const server = await startEtcd();
    await loadEtcd(server, lines(join(folder, "etcd.jsonl")));
    return { url: server.url, end: () => server.close() };
  },
  async "a backup"(folder, temp) {
    const url = `sqlite:${join(temp, "restored.db")}`;
    await restoreBackup(() => readBackup(join(folder, "backup.jsonl")), {
      store: connect(url, new Now()),
      ...{ clock: systemClock, node: "restore", progress: () => {} },
    });
    return { url, async end() {} };
  },
};

function connect(url: string, now: Now): Store {
  const config = { ...STORE_DEFAULTS, address: parseStoreUrl(url), url };
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return createStore(config, { ...parts, now: now.at });
}

/** Kinds with states, sorted. */
async function statesOf(store: Store): Promise<readonly string[]> {
  const { items } = await store.list({}, { limit: 100 });
  return items.map(({ kind, state }) => `${kind} ${state}`).sort();
}

const DONE = ["mail completed", "mail completed", "import terminated", "report completed"];
const NOTICE = "system.notice.ops completed";

for (const version of VERSIONS) {
  for (const [name, load] of Object.entries(LOADS)) {
    test(`a store of ${version} on ${name} shows what was in it, and runs what was due`, () =>
      withTempDir({}, async ({ path: temp }) => {
        const released = await load(join(FIXTURES, version), temp);
        try {
          await useTwice(released.url);
        } finally {
          await released.end();
        }
      }));
  }
}

async function useTwice(url: string): Promise<void> {
  const now = new Now();
  const store = connect(url, now);
  const { format, recovered } = await store.open({ at: now.at(), node: "new" });
  assert.equal(format, STORE_FORMAT);
  await checkContent(store, now);
  // A replica counts leases from when it learned of them.
  now.ms += MINUTE;
  const { value: reaped } = await store.reap({ at: now.at(), limit: 10 });
  const lost = [...recovered, ...reaped];
  assert.deepEqual(lost.map(({ kind, crashes }) => [kind, crashes]), [["long", 1]]);
  now.ms += HOUR;
  const request = { node: "new", kinds: KINDS, limit: 10, leaseMs: 15_000 };
  const { value: claimed } = await store.claim({ at: now.at(), ...request });
  assert.deepEqual(claimed.map(({ kind }) => kind).sort(), ["long", "mail"]);
  const long = claimed.find(({ kind }) => kind === "long")!;
  assert.equal(long.attempt, 2);
  assert.ok(long.fence > lost[0]!.fence);
  for (const { id, fence } of claimed) {
    const end = { state: "completed", reason: "ok", resultsJson: "[]", error: null } as const;
    const outcome = { type: "final", ...end, isFailure: false } as const;
    const settlement = { id, fence, outcome, logs: [] };
    const settled = await store.settle({ at: now.at(), node: "new", settlements: [settlement] });
    assert.equal(settled.value[0]!.status, "settled");
  }
  assert.deepEqual(await store.records.findProblems({ limit: 10 }), []);
  const after = await statesOf(store);
  const waiting = ["mail scheduled", "paused scheduled"];
  const all = [...DONE, "report completed", NOTICE, "mail completed", "long completed", ...waiting];
  assert.deepEqual(after, all.sort());
  await store.close();

  const again = connect(url, now);
  const second = await again.open({ at: now.at(), node: "new" });
  assert.deepEqual([second.format, second.recovered], [STORE_FORMAT, []]);
  assert.deepEqual(await statesOf(again), after);
  assert.deepEqual(await again.records.findProblems({ limit: 10 }), []);
  await again.close();
}

/** What the story of the fixtures left, see test/support/released/make_fixtures.ts. */
async function checkContent(store: Store, now: Now): Promise<void> {
  const { items } = await store.list({}, { limit: 100, order: "oldest" });
  assert.equal(items.length, 10);
  const unique = items.find(({ uniqueKey }) => uniqueKey !== null)!;
  assert.deepEqual([unique.kind, unique.uniqueKey, unique.state], ["mail", "once", "scheduled"]);
  const dead = items.find(({ state }) => state === "terminated")!;
  assert.deepEqual([dead.kind, dead.error!.message], ["import", "failed"]);
  const { items: history } = await store.history({ instanceId: dead.id }, { limit: 10 });
  assert.deepEqual(history.map(({ state }) => state), [
    "created",
    "scheduled",
    "processing",
    "terminated",
  ]);
  const { items: logs } = await store.logs({}, { limit: 10 });
  assert.deepEqual(logs.map(({ message }) => message).sort(), [
    "a line",
    "answered 250",
    "half done",
  ]);

  const schedules = await store.listSchedules({}, { limit: 10 });
  assert.deepEqual(schedules.items.map(({ id, spec }) => [id, spec.cron]), [
    ["config:report:0", "0 * * * *"],
  ]);
  const scheduleId = "config:report:0";
  const { items: fates } = await store.listFates({ scheduleId }, { limit: 10 });
  assert.deepEqual(fates.map(({ fate }) => fate), ["fired", "fired"]);
  const due = await store.dueSchedules({ at: now.at(), limit: 10 });
  assert.deepEqual(due.map(({ id }) => id), [scheduleId]);

  const pauses = await store.listPauses();
  assert.deepEqual(pauses.map(({ kind, reason }) => [kind, reason]), [["paused", "upgrade"]]);
  const memos = await store.listMemos({ prefix: "", after: null, limit: 10 });
  assert.deepEqual(memos.map(({ key }) => key), ["job:import", "silence:mail", "watcher:node"]);
  const { incident } = JSON.parse(memos[0]!.data);
  assert.deepEqual([incident.events, incident.closedAt], [["failed"], null]);
  assert.equal(JSON.parse(memos[1]!.data).by, "Ada");
}
