import { JobError } from "../../core/errors.ts";
import type { Logger } from "../../platform/logger.ts";
import { VERSION } from "../../platform/version.ts";
import { checkOpening } from "../ledger/maintenance/marks.ts";
import { STORE_FORMAT, type StoreInfo } from "../store.ts";
import { Unpacker } from "./codec/msgpack.ts";
import type { GreetingRun } from "./link/server_link.ts";
import type { OperationQueue } from "./operations/operation_queue.ts";
import { newerData, otherData } from "./operations/refusals.ts";
import { HEAD_SCRIPT } from "./script/script.ts";

/**
 * Open the data of a namespace, creating it if missing.
 *
 * @throws JobError `unavailable` for data of a newer format, `conflict` for a store that is being
 * filled or has moved, `permission_denied` if the server's user lacks a right
 */
export async function openData(
  queue: OperationQueue,
  options: {
    readonly newId: string;
    readonly location: string;
    /** If true, a mark on the store does not prevent opening. */
    readonly isMaintenance: boolean;
  },
): Promise<Pick<StoreInfo, "storeId" | "epoch" | "format"> & { readonly rev: number }> {
  const args = [options.newId, STORE_FORMAT, options.isMaintenance, VERSION];
  const answer = await queue.call(false, [{ operation: { action: "open" }, args }]);
  const [status, ...rest] = answer.read() as readonly unknown[];
  if (status === "newer") {
    throw newerData(options.location, rest);
  }
  if (status === "denied") {
    throw new JobError(
      "permission_denied",
      `Cannot use the store ${options.location}: its user may not execute ${rest[0]}`,
      { path: "store.username", hint: '"jobctl docs stores" has the rule for the user' },
    );
  }
  if (status === "marked") checkOpening(JSON.parse(rest[0] as string), options.location);
  const [storeId, epoch, format, rev] = rest as [string, number, number, number];
  return { storeId, epoch, format, rev };
}

/** The data that a node has opened. */
export interface KnownData {
  readonly prefix: string;
  readonly location: string;
  readonly storeId: string;
  readonly epoch: number;
  /** The last revision that the node has received. */
  readonly rev: number;
}

/**
 * Check that a new connection leads to the data that a node works with. A return to an earlier
 * state is logged: accepted jobs are lost, but the data are consistent.
 *
 * @throws JobError `unavailable` for other data or none: this node's state is useless for them
 */
export async function checkSameData(
  run: GreetingRun,
  known: KnownData,
  logger: Logger,
): Promise<void> {
  const answer = await run({ script: HEAD_SCRIPT, keys: [known.prefix], args: [] });
  const head = new Unpacker(answer).read() as false | readonly [string, number, number];
  if (head === false || head[0] !== known.storeId) throw otherData();
  const [, epoch, rev] = head;
  if (epoch >= known.epoch && rev >= known.rev) return;
  logger.warn(
    "The store went back to an earlier state: jobs and outcomes recorded since then are lost, so some jobs run again",
    { store: known.location, epoch, epochBefore: known.epoch },
  );
}
