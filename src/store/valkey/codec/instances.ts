import type { Instance } from "../../../core/instance.ts";
import { checkBatch, checkNewInstance } from "../../ledger/checks.ts";
import { redriveError } from "../../ledger/refusals.ts";
import { acceptInstance } from "../../ledger/rules.ts";
import type { Dated } from "../../ledger/state.ts";
import type { EnqueueResult, NewInstance, RedriveResult } from "../../store.ts";
import { RESULT } from "../script/constants.ts";
import type { Packer, Unpacker } from "./msgpack.ts";
import { isRow, readFixed, readPlainRow, type ReadRow, readRow, writeNewInstance } from "./rows.ts";

/** Write instances to accept, as one argument. */
export function writeInstances(into: Packer, instances: readonly NewInstance[]): number {
  into.list(instances.length);
  for (const input of instances) writeNewInstance(into, input);
  return 1;
}

/** Read rows with their fixed parts from one list: id, row, fixed part. */
export function readRows(from: Unpacker): readonly ReadRow[] {
  const rows: ReadRow[] = [];
  for (let left = from.list() / 3; left > 0; left--) rows.push(readWhole(from));
  return rows;
}

/** Read instances; same format as {@link readRows}. */
export function readInstances(from: Unpacker): readonly Instance[] {
  return readRows(from).map(({ instance }) => instance);
}

function readWhole(from: Unpacker): ReadRow {
  const id = from.text();
  const row = from.bytes()!;
  return readRow(id, row, readFixed(from.bytes()!));
}

/**
 * Read claimed instances. A plain row omits what it shares with the one before; see
 * `script/plain_claim.lua`.
 */
export function readClaimed(from: Unpacker): readonly Instance[] {
  const count = from.list();
  if (count === 0) return [];
  const instances: Instance[] = [];
  const start = from.bytes();
  let tail: Uint8Array | null = null;
  let fixed: Uint8Array | null = null;
  let last: Instance | null = null;
  for (let left = (count - 1) / 3; left > 0; left--) {
    const id = from.text();
    const row = from.bytes();
    const ownFixed = from.bytes();
    if (row !== null && isRow(row)) instances.push(readRow(id, row, readFixed(ownFixed!)).instance);
    else if (row === null && ownFixed === null) instances.push({ ...last!, id });
    else {
      tail = row ?? tail;
      fixed = ownFixed ?? fixed;
      last = readPlainRow({ id, start: start!, tail: tail!, fixed: readFixed(fixed!) });
      instances.push(last);
    }
  }
  return instances;
}

/** Read the results of accepting instances. */
export function readEnqueued(
  from: Unpacker,
  moment: Dated,
  inputs: readonly NewInstance[],
): readonly EnqueueResult[] {
  if (!from.isList) {
    from.read();
    return inputs.map((input) => ({
      instance: acceptInstance(input, moment),
      outcome: "accepted",
    }));
  }
  const results: EnqueueResult[] = [];
  from.list();
  for (const input of inputs) {
    if (from.isList) {
      const count = from.list();
      const result = from.read() as number;
      const outcome = result === RESULT.SAME_ID
        ? "sameId"
        : result === RESULT.SAME_KEY
        ? "sameKey"
        : "accepted";
      const { instance } = readWhole(from);
      const replaced = count > 4 ? { replaced: readWhole(from).instance } : {};
      results.push({ instance, outcome, ...replaced });
    } else {
      from.read();
      results.push({ instance: acceptInstance(input, moment), outcome: "accepted" });
    }
  }
  return results;
}

/** Read the results of running instances again. */
export function readRedriven(from: Unpacker): readonly RedriveResult[] {
  const results: RedriveResult[] = [];
  for (let left = from.list(); left > 0; left--) {
    from.list();
    const outcome = from.text() as RedriveResult["outcome"];
    const hasPast = from.read() === true;
    const hasNew = from.read() === true;
    const past = hasPast ? readWhole(from).instance : null;
    const instance = hasNew ? readWhole(from).instance : null;
    results.push({ past, outcome, instance });
  }
  return results;
}

/** Check the new instances of a redrive. @throws JobError `invalid_argument` */
export function checkRedrive(instances: readonly NewInstance[]): void {
  checkBatch(instances.length, "redrive");
  for (const input of instances) {
    checkNewInstance(input);
    if (input.retryOf === null) {
      throw redriveError(input.id, "it does not say which instance it repeats");
    }
    if (input.uniqueKey !== null) throw redriveError(input.id, "it has a unique key");
  }
}
