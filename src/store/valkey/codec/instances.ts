import type { Instance } from "../../../core/instance.ts";
import { acceptInstance } from "../../ledger/accept_instance.ts";
import type { Dated } from "../../ledger/state.ts";
import type { EnqueueResult, NewInstance, RedriveResult } from "../../store.ts";
import { RESULT } from "../script/constants.ts";
import type { Unpacker } from "./msgpack.ts";
import { isRow, readFixed, readPlainRow, type ReadRow, readRow } from "./rows.ts";

/** Read rows with their fixed parts from one list: id, row, fixed part. */
export function readRows(from: Unpacker): readonly ReadRow[] {
  return from.items(3, readWhole);
}

/** Read instances; same format as {@link readRows}. */
export function readInstances(from: Unpacker): readonly Instance[] {
  return readRows(from).map(({ instance }) => instance);
}

/** Read one row with its fixed part; see {@link readRows}. */
export function readWhole(from: Unpacker): ReadRow {
  const id = from.text();
  const row = from.bytes()!;
  return readRow(id, row, readFixed(from.bytes()!));
}

/**
 * Read claimed instances. A plain row omits members equal to the previous row's; see
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

const OUTCOMES: Readonly<Record<number, EnqueueResult["outcome"]>> = {
  [RESULT.ACCEPTED]: "accepted",
  [RESULT.SAME_ID]: "sameId",
  [RESULT.SAME_KEY]: "sameKey",
};

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
  from.list();
  return inputs.map((input) => {
    if (!from.isList) {
      from.read();
      return { instance: acceptInstance(input, moment), outcome: "accepted" };
    }
    const count = from.list();
    const outcome = OUTCOMES[from.read() as number]!;
    const { instance } = readWhole(from);
    return { instance, outcome, ...(count > 4 ? { replaced: readWhole(from).instance } : {}) };
  });
}

/** Read the results of running instances again. */
export function readRedriven(from: Unpacker): readonly RedriveResult[] {
  return from.items(1, () => {
    from.list();
    const outcome = from.text() as RedriveResult["outcome"];
    const hasPast = from.read() === true;
    const hasNew = from.read() === true;
    const past = hasPast ? readWhole(from).instance : null;
    const instance = hasNew ? readWhole(from).instance : null;
    return { past, outcome, instance };
  });
}
