import { VERSION } from "../platform/version.ts";
import { backupLines, headerOf } from "./backup.ts";
import { collectGarbage, describeStore, verifyStore } from "./care.ts";
import { Move } from "./move.ts";
import type { StoreStep, StoreWork, StoreWorkContext } from "./step.ts";

/** Characters of a backup that are handed on at once, about. */
const CHUNK_CHARS = 64 * 1_024;

/** Do a work on an open store; the last step of each is its report. */
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
    case "migrate":
      yield* new Move(context, work).run();
      return;
    case "undo": {
      const mark = await context.store.records.getMark();
      await context.store.records.setMark({ at: context.clock.now(), mark: null });
      yield { type: "report", report: { was: mark } };
    }
  }
}

async function* backup(context: StoreWorkContext): AsyncGenerator<StoreStep> {
  const { store, info, clock, signal } = context;
  const header = headerOf(info, VERSION, clock.now().wallMs);
  const encoder = new TextEncoder();
  let text = "";
  let last = "";
  for await (const lines of backupLines(store.records, header, signal)) {
    last = lines;
    text += lines;
    if (text.length < CHUNK_CHARS) continue;
    yield { type: "chunk", bytes: encoder.encode(text) };
    text = "";
  }
  yield { type: "chunk", bytes: encoder.encode(text) };
  const { counts, hash } = JSON.parse(last);
  yield { type: "report", report: { counts, hash, store_id: info.storeId } };
}
