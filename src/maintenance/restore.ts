import { JobError } from "../core/errors.ts";
import type { Clock } from "../platform/clock.ts";
import type { StoreRecord } from "../store/records.ts";
import { LOGIN_CODE_MEMO, SESSION_MEMO } from "../store/requests.ts";
import type { Store } from "../store/store.ts";
import { type BackupEnd, type BackupHeader, checkBackup, recordsIn } from "./backup.ts";
import { contentOf, sourceOf } from "./content.ts";
import { copyRecords } from "./copy.ts";
import { checkEmpty } from "./move.ts";

/** Records between two reports of progress. */
const REPORT_RECORDS = 25_000;

/** The result of a restore. */
export interface Restored {
  readonly header: BackupHeader;
  readonly counts: Readonly<Record<string, number>>;
  readonly hash: string;
  /** Log lines of instances that were deleted or created while the backup was written. */
  readonly left_out: number;
}

/** Memos that give rights, by the start of their keys: a backup may have been changed. */
const RIGHTS = [SESSION_MEMO, LOGIN_CODE_MEMO];

/**
 * Fill an empty store with a backup, except for the sessions and codes of browsers. The whole
 * backup is checked before anything is written, and the store is compared with it afterwards. An
 * interrupted restore continues when it is run again.
 *
 * @param lines reads the backup from its first line
 * @throws JobError `invalid_argument` for a damaged backup; `conflict` if the store holds anything
 * else
 */
export async function restoreBackup(
  lines: () => AsyncIterable<string>,
  options: {
    /** Name of the backup in messages. */
    readonly name?: string;
    /** Not yet open. */
    readonly store: Store;
    readonly clock: Clock;
    readonly node: string;
    readonly progress: (text: string) => void;
  },
): Promise<Restored> {
  const { name, store, clock, node, progress } = options;
  progress("Checking the backup");
  const { header, end } = await checkBackup(lines(), name);
  const from = `backup ${end.hash.slice(0, 16)}`;
  const info = await store.open({ at: clock.now(), node, isMaintenance: true });
  try {
    await begin(store, from, { clock, location: info.location, progress });
    const now = () => clock.now();
    const read = (count: number) => {
      if (count % REPORT_RECORDS === 0) progress(`${count} records written`);
    };
    const source = () => sourceOf(withoutRights(recordsIn(lines(), name)));
    await copyRecords(source(), store.records, { now, read });
    progress("Comparing");
    const again = await copyRecords(source(), store.records, { now });
    // The head is always written.
    if (again.written > 1 || again.removed > 0) throw differs(end);
    const wanted = await contentOf(source());
    const { counts, hash } = await contentOf(store.records);
    const left_out = (wanted.counts.log ?? 0) - (counts.log ?? 0);
    if (left_out === 0 && hash !== wanted.hash) throw differs(end);
    await store.records.setMark({ at: clock.now(), mark: null });
    return { header, counts, hash, left_out };
  } finally {
    await store.close();
  }
}

async function* withoutRights(records: AsyncIterable<StoreRecord>): AsyncGenerator<StoreRecord> {
  for await (const record of records) {
    const key = record.type === "memo" ? record.memo.key : "";
    if (!RIGHTS.some((start) => key.startsWith(start))) yield record;
  }
}

async function begin(
  store: Store,
  from: string,
  options: {
    readonly clock: Clock;
    readonly location: string;
    readonly progress: (text: string) => void;
  },
): Promise<void> {
  const mark = await store.records.getMark();
  if (mark?.type === "receiving" && mark.from === from) {
    options.progress("Continuing the interrupted restore");
    return;
  }
  if (mark !== null) {
    const what = mark.type === "receiving"
      ? `it is being filled from ${mark.from}`
      : "it has moved";
    throw new JobError("conflict", `Cannot restore into "${options.location}": ${what}`, {
      hint: "Name an empty store",
    });
  }
  await checkEmpty(store, options.location);
  await store.records.setMark({ at: options.clock.now(), mark: { type: "receiving", from } });
}

function differs(end: BackupEnd): JobError {
  return new JobError(
    "internal",
    `Cannot restore: the content of the store differs from the backup (hash ${
      end.hash.slice(0, 16)
    })`,
    { hint: "Nothing else may use the store meanwhile; run the command again" },
  );
}
