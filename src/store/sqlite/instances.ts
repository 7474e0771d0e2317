import type { ErrorInfo, Instance } from "../../core/instance.ts";
import { isFinal, JOB_STATES } from "../../core/state.ts";
import { instanceChars } from "../../core/payload_chars.ts";
import { type Row, stateIndex } from "../ledger/tables/row.ts";
import type { Fields, Statements, Value } from "./statements.ts";
import type { Kinds } from "./kinds.ts";

const INSERT = `INSERT INTO instance (seq, id, kind, state, ready, priority, due_at, created_at,
  scheduled_at, queue_key, unique_key, schedule_id, scheduled_for, retry_of, retry_max, crashes_max,
  timeout_ms, keep_success_ms, keep_failure_ms, arguments, deadline_at, extra)`;

// SQLite rewrites the indexes of every column that a statement names, so each step names only what it moves.
const CLAIM = `UPDATE instance SET state = 2, ready = NULL, reason = NULL, processed_at = ?,
  attempt = ?, fence = ?, node = ? WHERE seq = ?`;
const REST = `UPDATE instance SET reason = ?, processed_at = ?, settled_at = ?, expire_at = ?,
  cancel_at = ?, attempt = ?, failures = ?, crashes = ?, fence = ?, node = ?, results = ?, error = ?,
  version = ? WHERE seq = ?`;
const END = `UPDATE instance SET state = ?, reason = ?, settled_at = ?, expire_at = ?,
  cancel_at = ?, failures = ?, crashes = ?, results = ?, error = ?, version = ? WHERE seq = ?`;
const END_WAITING = `UPDATE instance SET state = ?, ready = NULL, reason = ?, settled_at = ?,
  expire_at = ?, cancel_at = ?, error = ? WHERE seq = ?`;
const AGAIN = `UPDATE instance SET state = 1, ready = ?, reason = ?, due_at = ?, scheduled_at = ?,
  node = NULL, failures = ?, crashes = ?, error = ?, version = ? WHERE seq = ?`;
const UNCLAIM = `UPDATE instance SET attempt = ?, processed_at = ? WHERE seq = ?`;
const MARK = `UPDATE instance SET cancel_at = ?, reason = ? WHERE seq = ?`;
const MOVE = `UPDATE instance SET ready = ? WHERE seq = ?`;
const PACK = `UPDATE instance SET extra = ? WHERE seq = ?`;

/** What few instances have. */
type Extra = Partial<Pick<Instance, "progress" | "redrivenAs" | "uniqueUntil">>;

const NO_EXTRA: Extra = {};

/** Write a new row. */
export function insertRow(statements: Statements, kinds: Kinds, row: Row): void {
  const { instance: i, seq } = row;
  const queueKey = i.queueKey === i.kind ? null : i.queueKey;
  statements.insert(INSERT, [
    seq,
    i.id,
    kinds.idOf(i.kind),
    stateIndex(i.state),
    readyOf(row),
    i.priority,
    i.dueAt,
    i.createdAt,
    i.scheduledAt,
    queueKey,
    i.uniqueKey,
    i.scheduleId,
    i.scheduledFor,
    i.retryOf,
    i.retryMax,
    i.crashesMax,
    i.timeoutMs,
    i.keepSuccessMs,
    i.keepFailureMs,
    i.argumentsJson,
    i.deadlineAt,
    packExtra(i),
  ]);
  insertReason(statements, row);
}

/** Write a new row with every column: one that was begun or ended elsewhere. */
export function putRow(statements: Statements, kinds: Kinds, row: Row): void {
  insertRow(statements, kinds, row);
  const { instance: i, expireAt, seq } = row;
  if (i.fence === 0 && i.state === "scheduled") return;
  const errorJson = i.error === null ? null : JSON.stringify(i.error);
  statements.run(
    REST,
    ...[i.reason, i.processedAt, i.settledAt, expireAt, i.cancelRequestedAt, i.attempt],
    ...[i.failures, i.crashes, i.fence, i.node, i.resultsJson, errorJson, i.version, seq],
  );
}

/** Only one that is held has a reason from the start. */
function insertReason(statements: Statements, { seq, instance }: Row): void {
  if (instance.reason === null) return;
  statements.run("UPDATE instance SET reason = ? WHERE seq = ?", instance.reason, seq);
}

/** Write what a step of the ledger changed in a row. */
export function updateRow(statements: Statements, before: Row, after: Row): void {
  const { instance: i, seq } = after;
  const errorJson = i.error === null ? null : JSON.stringify(i.error);
  if (isFinal(i.state)) {
    const state = stateIndex(i.state);
    const ended: Value[] = [i.reason, i.settledAt, after.expireAt, i.cancelRequestedAt];
    if (before.isReady !== null) statements.run(END_WAITING, state, ...ended, errorJson, seq);
    else {
      const counted = [i.failures, i.crashes];
      statements.run(END, state, ...ended, ...counted, i.resultsJson, errorJson, i.version, seq);
    }
  } else if (i === before.instance) {
    statements.run(MOVE, readyOf(after), seq);
    return;
  } else if (i.state === "scheduled") {
    const ready = readyOf(after);
    const times = [i.dueAt, i.scheduledAt];
    const counted = [i.failures, i.crashes];
    statements.run(AGAIN, ready, i.reason, ...times, ...counted, errorJson, i.version, seq);
  } else if (before.instance.state === "scheduled") {
    statements.run(CLAIM, i.processedAt, i.attempt, i.fence, i.node, seq);
  } else {
    statements.run(MARK, i.cancelRequestedAt, i.reason, seq);
  }
  if (i.attempt < before.instance.attempt) statements.run(UNCLAIM, i.attempt, i.processedAt, seq);
  const extra = packExtra(i);
  if (extra !== packExtra(before.instance)) statements.run(PACK, extra, seq);
}

function readyOf({ isReady, isBehind }: Row): number | null {
  if (isReady === true) return isBehind ? 2 : 1;
  return isReady === null ? null : 0;
}

function packExtra({ progress, redrivenAs, uniqueUntil }: Instance): string | null {
  if (progress === null && redrivenAs === null && uniqueUntil === null) return null;
  const extra: Extra = {
    ...(progress === null ? {} : { progress }),
    ...(redrivenAs === null ? {} : { redrivenAs }),
    ...(uniqueUntil === null ? {} : { uniqueUntil }),
  };
  return JSON.stringify(extra);
}

/**
 * The greatest id in JavaScript's order, "" without any. Null when it is not known: SQLite orders by code point, JavaScript by
 * UTF-16, and only on what comes before an ASCII text they agree.
 */
export function greatestId(statements: Statements): string | null {
  const id = statements.get("SELECT max(id) AS id FROM instance")!.id as string | null ?? "";
  return /\P{ASCII}/u.test(id) ? null : id;
}

/** A row from the columns of table `instance`. */
export function readRow(kinds: Kinds, fields: Fields): Row {
  const kind = kinds.nameOf(fields.kind as number);
  const error = fields.error as string | null;
  const ready = fields.ready as number | null;
  const packed = fields.extra as string | null;
  const extra: Extra = packed === null ? NO_EXTRA : JSON.parse(packed);
  const row: Row = {
    seq: fields.seq as number,
    isReady: ready === null ? null : ready > 0,
    expireAt: fields.expire_at as number | null,
    instance: {
      id: fields.id as string,
      kind,
      state: JOB_STATES[fields.state as number]!,
      reason: fields.reason as string | null,
      priority: fields.priority as number,
      queueKey: (fields.queue_key as string | null) ?? kind,
      uniqueKey: fields.unique_key as string | null,
      uniqueUntil: extra.uniqueUntil ?? null,
      argumentsJson: fields.arguments as string,
      resultsJson: fields.results as string | null,
      error: error === null ? null : JSON.parse(error) as ErrorInfo,
      scheduleId: fields.schedule_id as string | null,
      scheduledFor: fields.scheduled_for as number | null,
      dueAt: fields.due_at as number,
      createdAt: fields.created_at as number,
      scheduledAt: fields.scheduled_at as number,
      processedAt: fields.processed_at as number | null,
      settledAt: fields.settled_at as number | null,
      cancelRequestedAt: fields.cancel_at as number | null,
      attempt: fields.attempt as number,
      failures: fields.failures as number,
      crashes: fields.crashes as number,
      fence: fields.fence as number,
      node: fields.node as string | null,
      retryOf: fields.retry_of as string | null,
      version: fields.version as string | null,
      progress: extra.progress ?? null,
      deadlineAt: fields.deadline_at as number | null,
      redrivenAs: extra.redrivenAs ?? null,
      retryMax: fields.retry_max as number,
      crashesMax: fields.crashes_max as number,
      timeoutMs: fields.timeout_ms as number,
      keepSuccessMs: fields.keep_success_ms as number,
      keepFailureMs: fields.keep_failure_ms as number,
    },
  };
  return ready === 2 ? { ...row, isBehind: true } : row;
}

/** Rows of a query, until their payloads have this many characters. */
export function readRows(
  statements: Statements,
  kinds: Kinds,
  query: { readonly sql: string; readonly values: readonly Value[]; readonly charsMax: number },
): readonly Row[] {
  const rows: Row[] = [];
  let chars = 0;
  statements.some(query.sql, (fields) => {
    const row = readRow(kinds, fields);
    rows.push(row);
    chars += instanceChars(row.instance);
    return chars >= query.charsMax;
  }, ...query.values);
  return rows;
}
