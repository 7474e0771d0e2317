import { VERSION } from "../platform/version.ts";
import { BACKUP_KIND } from "../core/settings/backup_settings.ts";
import { JobError } from "../core/errors.ts";
import { JOB_STATES } from "../core/state.ts";
import { countText } from "../core/text/count_text.ts";
import { snakeCase } from "../core/text/snake_case.ts";
import { type Clock, sleep } from "../platform/clock.ts";
import { placeOf } from "../core/settings/store_address.ts";
import type { StoreMark } from "../store/records.ts";
import { BATCH_MAX, type StoreInfo } from "../store/store.ts";
import { Salvage } from "../store/sqlite/salvage.ts";
import { type BackupEnd, backupLines } from "./backup.ts";
import { checkSignal, type RecordSource, sourceOf } from "./content.ts";
import { Move } from "./move.ts";
import type { StoreContent, StoreStep, StoreWork, StoreWorkContext } from "./step.ts";

/** Instances deleted by one operation. Small, so that claims do not wait long. */
const INSTANCES_BATCH = 250;
const BETWEEN_BATCHES_MS = 5;
/** Most problems that a check reports. */
const PROBLEMS_MAX = 100;
/** Largest chunk of a backup, in bytes: one message, which may end within a line or a character. */
const CHUNK_BYTES_MAX = 1_048_576;

/** Run a work on an open store. Its last step is the report. */
export async function* workOnStore(
  work: StoreWork,
  context: StoreWorkContext,
): AsyncGenerator<StoreStep> {
  switch (work.type) {
    case "info":
      yield { type: "report", report: { ...await describeStore(context) } };
      return;
    case "verify":
      yield { type: "report", report: await verifyStore(context) };
      return;
    case "gc":
      return yield* collectGarbage(context, work.compacts);
    case "backup":
      return yield* backup(context.store.records, context.info, context);
    case "salvage":
      throw new JobError("conflict", "Cannot salvage the store: it is open, so it is readable", {
        hint: "Use store backup without --salvage, or stop the daemon first",
      });
    case "migrate":
      return yield* new Move(context, work).run();
    case "undo": {
      yield { type: "report", report: { was: await undo(context) } };
    }
  }
}

/** Delete expired and orphaned records. @param compacts also return free space to the disk */
async function* collectGarbage(
  { store, clock, signal }: StoreWorkContext,
  compacts: boolean,
): AsyncGenerator<StoreStep> {
  const before = await store.records.size();
  let instances = 0;
  for (;;) {
    checkSignal(signal);
    const { value } = await store.retain({ at: clock.now(), limit: INSTANCES_BATCH });
    instances += value.length;
    if (value.length === 0) break;
    // The report has the count of the last ones.
    if (value.length === INSTANCES_BATCH) {
      yield { type: "progress", text: `${countText(instances, "instance")} deleted` };
    }
    await sleep(clock, BETWEEN_BATCHES_MS, signal);
  }
  let orphans = 0;
  for (;;) {
    checkSignal(signal);
    const { value } = await store.records.removeOrphans({ at: clock.now(), limit: BATCH_MAX });
    orphans += value;
    if (value < BATCH_MAX) break;
    yield {
      type: "progress",
      text: `${countText(orphans, "orphaned row")} deleted`,
    };
  }
  if (compacts) {
    yield { type: "progress", text: "Returning free space to the disk" };
    await store.records.compact();
  }
  const { bytes, freeBytes } = await store.records.size();
  yield {
    type: "report",
    report: {
      instances,
      orphans,
      freed_bytes: bytes === null ? null : before.bytes! - bytes,
      bytes,
      free_bytes: freeBytes,
    },
  };
}

/** Facts about a store and its contents. */
async function describeStore(
  { store, info }: StoreWorkContext,
): Promise<StoreContent> {
  const { kinds, schedules } = await store.stats();
  const states = Object.fromEntries(JOB_STATES.map((state) => {
    const count = [...kinds.values()].reduce((sum, counts) => sum + counts[state], 0);
    return [snakeCase(state), count];
  })) as StoreContent["states"];
  const { items: [oldest] } = await store.list({}, { limit: 1, order: "oldest" });
  const backups = { kinds: [BACKUP_KIND], states: ["completed"] } as const;
  const { items: [backup] } = await store.list(backups, { limit: 1 });
  const { bytes, freeBytes, walBytes = null } = await store.records.size();
  return {
    type: info.type,
    location: info.location,
    id: info.storeId,
    epoch: info.epoch,
    format: info.format,
    is_durable: info.isDurable,
    mark: await store.records.getMark(),
    instances: Object.values(states).reduce((sum, count) => sum + count, 0),
    states,
    kinds: kinds.size,
    schedules,
    pauses: (await store.listPauses()).length,
    oldest_at: timeText(oldest?.createdAt),
    backup_at: timeText(backup?.settledAt),
    bytes,
    free_bytes: freeBytes,
    wal_bytes: walBytes,
  };
}

function timeText(at: number | null | undefined): string | null {
  return at === null || at === undefined ? null : new Date(at).toISOString();
}

async function verifyStore({ store }: StoreWorkContext) {
  const problems = await store.records.findProblems({ limit: PROBLEMS_MAX });
  return { problems, is_whole: problems.length === 0 };
}

/** Use a moved store again. Returns the old mark. @throws JobError `conflict` for work under way */
async function undo({ store, clock }: StoreWorkContext): Promise<StoreMark | null> {
  const mark = await store.records.getMark();
  if (mark !== null && mark.type !== "moved") {
    const what = mark.type === "receiving"
      ? `it is being filled from ${mark.from}`
      : `it is about to move to ${placeOf(mark)}`;
    throw new JobError("conflict", `Cannot use the store again: ${what}`, {
      hint: mark.type === "receiving"
        ? "Run the command that fills it again: it continues where it stopped"
        : "Interrupt the move, or wait until it has ended",
    });
  }
  await store.records.setMark({ at: clock.now(), mark: null });
  return mark;
}

/** Back up the readable part of a damaged SQLite file. */
export async function* salvageFile(path: string, clock: Clock): AsyncGenerator<StoreStep> {
  const salvage = new Salvage(path);
  try {
    const { storeId, epoch, problems } = salvage;
    const info = { type: "sqlite", storeId, epoch };
    yield* backup(sourceOf(salvage.records()), info, { clock, more: { problems } });
  } finally {
    salvage.close();
  }
}

/** @param options.more facts that the report adds */
async function* backup(
  source: RecordSource,
  { type: storeType, storeId, epoch }: Pick<StoreInfo, "type" | "storeId" | "epoch">,
  options: { readonly clock: Clock; readonly signal?: AbortSignal; readonly more?: object },
): AsyncGenerator<StoreStep> {
  const { clock, signal, more } = options;
  const header = { version: VERSION, at: clock.now().wallMs, storeType, storeId, epoch };
  const encoder = new TextEncoder();
  let last = "";
  for await (const lines of backupLines(source, header, signal)) {
    last = lines;
    yield* chunksOf(encoder.encode(lines));
  }
  const { counts, hash }: BackupEnd = JSON.parse(last);
  yield { type: "report", report: { counts, hash, store_id: storeId, ...more } };
}

function* chunksOf(bytes: Uint8Array): Generator<StoreStep> {
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES_MAX) {
    yield { type: "chunk", bytes: bytes.subarray(from, from + CHUNK_BYTES_MAX) };
  }
}
