// Writes the stores of this version to test/fixtures/stores/VERSION: npm run fixtures

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { parseStoreUrl } from "../../../src/core/settings/store_address.ts";
import { STORE_DEFAULTS } from "../../../src/core/settings/store_config.ts";
import { backupLines } from "../../../src/maintenance/backup.ts";
import { pagesOf } from "../../../src/maintenance/content.ts";
import { silentLogger } from "../../../src/platform/logger.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { VERSION } from "../../../src/platform/version.ts";
import { createStore } from "../../../src/store/opening/open_store.ts";
import type { StoreRecord } from "../../../src/store/records.ts";
import type { Store } from "../../../src/store/store.ts";
import { StoryWorld } from "../notices/story_world.ts";
import { seededRandom } from "../seeded_random.ts";
import { startEtcd } from "../servers/etcd_server.ts";
import { startValkey } from "../servers/valkey_server.ts";
import { jobOf, scheduleOf } from "../worlds/manager_world.ts";
import { dumpEtcd, dumpValkey, type ServerData } from "./server_data.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The time of everything in the fixtures. */
const START = Date.UTC(2026, 0, 1);
const STORE_ID = "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f";

/** Kept for ever, as far as the tests are concerned. */
const KEPT = { keepSuccessMs: 36_500 * DAY, keepFailureMs: 36_500 * DAY };

/** What a daemon has after some hours, as records. */
async function story(): Promise<readonly StoreRecord[]> {
  const jobs = [
    jobOf("mail", { options: KEPT }),
    jobOf("import", { options: KEPT }),
    jobOf("report", { options: KEPT, schedules: [scheduleOf({ cron: "0 * * * *" })] }),
    jobOf("paused", { options: KEPT }),
    jobOf("long", { options: KEPT }),
  ];
  const world = await StoryWorld.started({ jobs, startMs: START, workers: 2 });
  const manager = world.manager();
  await world.run("mail", "ok print");
  await world.run("import", "fail");
  await world.advance("2h");
  await world.of(manager.pause("paused", { reason: "upgrade" }));
  await world.of(
    manager.silence("mail", { until: START + 30 * DAY, reason: "known", by: "Ada" }),
  );
  await world.of(manager.scheduleJob("paused"));
  await world.of(manager.scheduleJob("mail", { afterMs: HOUR, uniqueKey: "once" }));
  await world.of(manager.scheduleJob("mail", { afterMs: 36_500 * DAY }));
  await world.of(manager.scheduleJob("long", { afterMs: HOUR }));
  const records = await world.look(async (store) => await recordsOf(store));
  await world.close();
  return records;
}

async function recordsOf(store: Store): Promise<readonly StoreRecord[]> {
  const records: StoreRecord[] = [];
  for await (const page of pagesOf(store.records)) records.push(...page);
  return records.map((record) => withoutPlaces(record) as StoreRecord);
}

/** The same without the stacks of errors, which name the folders of this machine. */
function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value === "string") return value.replaceAll(/,"stack":"(?:[^"\\]|\\.)*"/g, "");
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => name !== "stack")
      .map(([name, member]) => [name, withoutPlaces(member)]),
  );
}

/** Fill a store with the records, and leave a run of a daemon that was killed. */
async function fill(url: string, records: readonly StoreRecord[]): Promise<readonly string[]> {
  const at = { wallMs: START + 4 * HOUR, monotonicMs: 4 * HOUR };
  const config = { ...STORE_DEFAULTS, address: parseStoreUrl(url), url };
  const parts = {
    clock: systemClock,
    random: seededRandom(1),
    logger: silentLogger,
    now: () => at,
  };
  const store = createStore(config, parts);
  const { storeId, epoch } = await store.open({ at, node: "killed" });
  await store.records.writeRecords({ at, records });
  const report = {
    ...{ version: VERSION, host: "host", pid: 1, process: "1", startedAt: START, tags: [] },
    ...{ kinds: ["long"], idle: [], limits: {}, workers: 2, busy: 1, isDraining: false },
    tzVersion: "2026a",
  };
  await store.joinNode({ at, id: "killed", report, leaseMs: 15_000 });
  const request = { node: "killed", kinds: new Set(["long"]), limit: 1, leaseMs: 15_000 };
  const { value: [running] } = await store.claim({ at, ...request });
  const log = { at: at.wallMs, level: "info", message: "half done", source: "job" } as const;
  const append = { id: running!.id, fence: running!.fence, logs: [log] };
  await store.appendLogs({ at, appends: [append] });
  const header = { version: VERSION, at: at.wallMs, storeType: "sqlite", storeId, epoch };
  const lines: string[] = [];
  for await (const text of backupLines(store.records, header)) lines.push(text);
  await store.close();
  return lines;
}

function writeLines(path: string, lines: ServerData): void {
  writeFileSync(path, `${lines.join("\n")}\n`);
}

const folder = process.argv[2] ??
  fileURLToPath(new URL(`../../fixtures/stores/${VERSION}`, import.meta.url));
mkdirSync(folder, { recursive: true });
const records = await story();

const temp = mkdtempSync(join(tmpdir(), "fixtures-"));
const file = join(temp, "jobctl.db");
const backup = await fill(`sqlite:${file}`, records);
const db = new DatabaseSync(file);
db.prepare("UPDATE meta SET store_id = ?").run(STORE_ID);
db.exec("PRAGMA journal_mode = DELETE; VACUUM");
db.close();
writeFileSync(join(folder, "jobctl.db"), readFileSync(file));
rmSync(temp, { recursive: true });
writeFileSync(
  join(folder, "backup.jsonl"),
  backup.join("").replace(/"storeId":"[^"]*"/, `"storeId":"${STORE_ID}"`),
);

const valkey = await startValkey();
await fill(valkey.url, records);
writeLines(join(folder, "valkey.jsonl"), await dumpValkey(valkey));
await valkey.close();

const etcd = await startEtcd();
await fill(etcd.url, records);
writeLines(join(folder, "etcd.jsonl"), await dumpEtcd(etcd));
await etcd.close();
process.exit(0);
