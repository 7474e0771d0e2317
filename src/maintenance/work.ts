import { VERSION } from "../platform/version.ts";
import { JobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import { placeOf } from "../core/store_address.ts";
import { FillingPage } from "../store/record_page.ts";
import type { StoreMark } from "../store/records.ts";
import { Salvage } from "../store/sqlite/salvage.ts";
import { backupLines, headerOf } from "./backup.ts";
import { describeStore, verifyStore } from "./check.ts";
import type { Content, RecordSource } from "./content.ts";
import { Move } from "./move.ts";
import { collectGarbage } from "./retention.ts";
import type { StoreStep, StoreWork, StoreWorkContext } from "./step.ts";

/** Smallest chunk of a backup, in characters. */
const CHUNK_CHARS = 64 * 1_024;
/**
 * Largest chunk of a backup, in bytes: a chunk is one message, and may end within a line or a
 * character.
 */
const CHUNK_BYTES_MAX = 1_048_576;

/** Run a work on an open store. Its last step is the report. */
export async function* workOnStore(
  work: StoreWork,
  context: StoreWorkContext,
): AsyncGenerator<StoreStep> {
  switch (work.type) {
    case "info":
      yield { type: "report", report: await describeStore(context) };
      return;
    case "verify":
      yield { type: "report", report: await verifyStore(context) };
      return;
    case "gc":
      yield* collectGarbage(context, work.compacts);
      return;
    case "backup":
      yield* backup(context);
      return;
    case "salvage":
      throw new JobError("conflict", "Cannot salvage the store: it is open, so it is readable", {
        hint: "Use store backup without --salvage, or stop the daemon first",
      });
    case "migrate":
      yield* new Move(context, work).run();
      return;
    case "undo": {
      yield { type: "report", report: { was: await undo(context) } };
    }
  }
}

/**
 * Use a store again that was moved away. Returns the mark that it had.
 *
 * @throws JobError `conflict` while it is being filled or moved
 */
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

async function* backup(context: StoreWorkContext): AsyncGenerator<StoreStep> {
  const { store, info, clock, signal } = context;
  const header = headerOf(info, VERSION, clock.now().wallMs);
  const end = yield* chunksOf(backupLines(store.records, header, signal));
  yield { type: "report", report: { ...end, store_id: info.storeId } };
}

/** Back up the readable part of a damaged SQLite file. */
export async function* salvageFile(path: string, clock: Clock): AsyncGenerator<StoreStep> {
  const salvage = new Salvage(path);
  try {
    const { storeId, epoch, problems } = salvage;
    const info = { type: "sqlite", storeId, epoch };
    const header = headerOf(info, VERSION, clock.now().wallMs);
    const records = salvage.records();
    const source: RecordSource = {
      readRecords: ({ limit }) => {
        const page = new FillingPage(limit);
        while (!page.isFull) {
          const { value, done } = records.next();
          if (done) return Promise.resolve(page.end(true));
          page.add(value);
        }
        return Promise.resolve(page.end(false));
      },
    };
    const end = yield* chunksOf(backupLines(source, header));
    yield { type: "report", report: { ...end, store_id: storeId, problems } };
  } finally {
    salvage.close();
  }
}

/** The lines of a backup in chunks. Returns the counts and the hash at its end. */
async function* chunksOf(
  parts: AsyncIterable<string>,
): AsyncGenerator<StoreStep, Pick<Content, "counts" | "hash">> {
  const encoder = new TextEncoder();
  let text = "";
  let last = "";
  for await (const lines of parts) {
    last = lines;
    text += lines;
    if (text.length < CHUNK_CHARS) continue;
    yield* cut(encoder.encode(text));
    text = "";
  }
  yield* cut(encoder.encode(text));
  const { counts, hash } = JSON.parse(last);
  return { counts, hash };
}

function* cut(bytes: Uint8Array): Generator<StoreStep> {
  for (let from = 0; from < bytes.length; from += CHUNK_BYTES_MAX) {
    yield { type: "chunk", bytes: bytes.subarray(from, from + CHUNK_BYTES_MAX) };
  }
}
