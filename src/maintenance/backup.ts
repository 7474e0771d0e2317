import { JobError, messageOf } from "../core/errors.ts";
import {
  comparePlaces,
  keyOf,
  RECORD_TYPES,
  type RecordKey,
  type StoreRecord,
  wholeInstance,
} from "../store/records.ts";
import { type Content, ContentHash, pagesOf, type RecordSource } from "./content.ts";

/** Format of backups. A newer one is refused. */
const BACKUP_FORMAT = 1;
/** Longest line of a backup, in characters: longer than any record that a store accepts. */
const LINE_CHARS_MAX = 2 ** 28;
/** Lines are passed on in parts of about this many characters. */
const PART_CHARS = 65_536;

/** The first line of a backup. */
export interface BackupHeader {
  readonly type: "backup";
  readonly format: number;
  /** Version of the program that wrote it. */
  readonly version: string;
  /** When it began, epoch ms. */
  readonly at: number;
  readonly storeType: string;
  readonly storeId: string;
  readonly epoch: number;
}

/** The last line of a backup. Without it the file is incomplete. */
export interface BackupEnd extends Content {
  readonly type: "end";
}

/**
 * A backup as lines: a header, every record, and an end with counts and a hash. Each instance is
 * consistent. An instance that came too late is omitted, with the fates that name it: after a
 * restore the schedule fires its tick again.
 */
export async function* backupLines(
  source: RecordSource,
  header: Omit<BackupHeader, "type" | "format">,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  yield `${JSON.stringify({ type: "backup", format: BACKUP_FORMAT, ...header })}\n`;
  const hash = new ContentHash();
  /** Instances created during the backup that are in it. */
  const young = new Set<string>();
  for await (const page of pagesOf(source, signal)) {
    let text = "";
    for (const record of page) {
      if (isAhead(record, header.at, young)) continue;
      if (record.type === "instance" && record.instance.createdAt >= header.at) {
        young.add(record.instance.id);
      }
      hash.add(record);
      text += `${JSON.stringify(record)}\n`;
      if (text.length < PART_CHARS) continue;
      yield text;
      text = "";
    }
    yield text;
  }
  yield `${JSON.stringify({ type: "end", ...hash.end() })}\n`;
}

/** True for a fate that names an instance that came too late for the backup. */
function isAhead(record: StoreRecord, beganAt: number, young: ReadonlySet<string>): boolean {
  if (record.type !== "tick") return false;
  const { at, instanceId } = record.fate;
  return instanceId !== null && at >= beganAt && !young.has(instanceId);
}

/** Name in messages of an unnamed backup. */
const UNNAMED = "the backup";

/**
 * Lines of a text that comes in parts, without line ends.
 *
 * @throws JobError `invalid_argument` if a line is too long
 */
export async function* linesOf(
  parts: AsyncIterable<Uint8Array>,
  name = UNNAMED,
): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  for await (const part of parts) {
    // Only the new part is searched, so the time is linear even for a line in many parts.
    const [first, ...others] = decode(decoder, part, name).split("\n");
    rest += first;
    if (others.length > 0) {
      yield rest;
      rest = others.pop()!;
      yield* others;
    }
    if (rest.length > LINE_CHARS_MAX) throw damaged("a line is too long", name);
  }
  if (rest !== "") yield rest;
}

function decode(decoder: TextDecoder, part: Uint8Array, name: string): string {
  try {
    return decoder.decode(part, { stream: true });
  } catch (thrown) {
    throw damaged(messageOf(thrown), name);
  }
}

/**
 * Check a backup from its first line to its last.
 *
 * @param name its name in messages
 * @throws JobError `invalid_argument` if it is damaged, incomplete, or not a backup
 */
export async function checkBackup(
  lines: AsyncIterable<string>,
  name = UNNAMED,
): Promise<{ readonly header: BackupHeader; readonly end: BackupEnd }> {
  const hash = new ContentHash();
  let header: BackupHeader | null = null;
  let end: BackupEnd | null = null;
  let last: RecordKey | null = null;
  for await (const line of lines) {
    if (end) throw damaged("something follows its end", name);
    const value = parse(line, name);
    if (!header) header = readHeader(value, name);
    else if (value.type === "end") end = value as unknown as BackupEnd;
    else {
      const record = readRecord(value, name);
      const key = keyOf(record);
      if (last && comparePlaces(last, key) >= 0) {
        throw damaged("its records are out of order", name);
      }
      last = key;
      hash.add(record);
    }
  }
  if (!header) throw damaged("it is empty", name);
  if (!end) throw damaged("its end is missing", name);
  const content = hash.end();
  if (content.hash !== end.hash) {
    throw damaged("the hash of its records is not the one at its end", name);
  }
  if (!isSame(content.counts, end.counts)) {
    throw damaged("the counts of its records are not those at its end", name);
  }
  return { header, end };
}

function isSame(found: Content["counts"], stated: Content["counts"] | undefined): boolean {
  const types = new Set([...Object.keys(found), ...Object.keys(stated ?? {})]);
  return [...types].every((type) => (found[type] ?? 0) === (stated?.[type] ?? 0));
}

/** The records of a backup. @param name its name in messages */
export async function* recordsIn(
  lines: AsyncIterable<string>,
  name = UNNAMED,
): AsyncGenerator<StoreRecord> {
  let isHeader = true;
  for await (const line of lines) {
    const value = isHeader ? null : parse(line, name);
    isHeader = false;
    if (value !== null && value.type !== "end") yield readRecord(value, name);
  }
}

function parse(
  line: string,
  name: string,
): { readonly type?: unknown } & Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw damaged("a line is not JSON: it is damaged, or not a backup", name);
  }
  if (typeof value !== "object" || value === null) throw damaged("a line is not a record", name);
  return value as Readonly<Record<string, unknown>>;
}

function readHeader(value: Readonly<Record<string, unknown>>, name: string): BackupHeader {
  if (value.type !== "backup" || typeof value.format !== "number") {
    throw damaged("it is not a backup", name);
  }
  if (value.format > BACKUP_FORMAT) {
    throw new JobError(
      "invalid_argument",
      `Cannot read ${name}: it has format ${value.format}, this version knows up to ${BACKUP_FORMAT}`,
      { hint: "Use the newer version that wrote it" },
    );
  }
  return value as unknown as BackupHeader;
}

function readRecord(value: { readonly type?: unknown }, name: string): StoreRecord {
  if ((RECORD_TYPES as readonly unknown[]).includes(value.type)) {
    const record = value as StoreRecord;
    if (record.type !== "instance") return record;
    return { ...record, instance: wholeInstance(record.instance) };
  }
  throw damaged(`a line of type "${String(value.type)}" is not a record`, name);
}

function damaged(found: string, name: string): JobError {
  return new JobError("invalid_argument", `Cannot read ${name}: ${found}`, {
    hint: "Take another backup; nothing was changed",
  });
}
