import { JobError } from "../../core/errors.ts";
import type { Logger } from "../../platform/logger.ts";
import { checkOpening } from "../ledger/maintenance/marks.ts";
import { STORE_FORMAT, type StoreInfo } from "../store.ts";
import { Unpacker } from "./codec/msgpack.ts";
import type { GreetingRun } from "./link/link.ts";
import type { OperationQueue } from "./operations/operation_queue.ts";
import { otherData } from "./operations/refusals.ts";
import { HEAD_SCRIPT } from "./script/script.ts";

/**
 * Open the data of a namespace, which is made when there is none.
 *
 * @throws JobError `unavailable` for data of a newer format, `conflict` for a store that is being filled or has moved,
 * `permission_denied` for a user who may not do what the scripts do
 */
export async function openData(
  queue: OperationQueue,
  options: {
    readonly newId: string;
    readonly location: string;
    /** Whether a mark over the store refuses nothing. */
    readonly isMaintenance: boolean;
  },
): Promise<Pick<StoreInfo, "storeId" | "epoch" | "format"> & { readonly rev: number }> {
  const answer = await queue.call(false, [], [{
    family: "claim",
    action: "open",
    write: (into) => {
      into.write(options.newId);
      into.write(STORE_FORMAT);
      into.write(options.isMaintenance);
      return 3;
    },
    read: () => null,
  }]);
  const [status, ...rest] = answer.read() as readonly unknown[];
  if (status === "newer") {
    throw new JobError(
      "unavailable",
      `Cannot open the store: its data are of format ${
        rest[0]
      }, this version knows up to ${STORE_FORMAT}`,
      { path: "store.url", hint: "Use the newer version that wrote it" },
    );
  }
  if (status === "denied") {
    throw new JobError(
      "permission_denied",
      `Cannot use the store ${options.location}: its user may not give ${rest[0]}`,
      { path: "store.username", hint: "docs/stores.md has the rule of the user" },
    );
  }
  if (status === "marked") checkOpening(JSON.parse(rest[0] as string), options.location);
  const [storeId, epoch, format, rev] = rest as [string, number, number, number];
  return { storeId, epoch, format, rev };
}

/** What a node knows of the data that it has opened. */
export interface KnownData {
  readonly prefix: string;
  readonly location: string;
  readonly storeId: string;
  readonly epoch: number;
  /** The last revision that it was answered. */
  readonly rev: number;
}

/**
 * Look whether a new connection leads to the data that a node works with. Data that went back are told of: what was acknowledged
 * since then is gone, and nothing else is wrong with them.
 *
 * @throws JobError `unavailable` when they are others, or none: what this node holds is of no use there
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
    "The store went back to an earlier state: jobs that were accepted since then are gone, and outcomes, so that jobs run again",
    { store: known.location, epoch, epochBefore: known.epoch },
  );
}
