import { JobError } from "../../core/errors.ts";
import { checkOpening } from "../ledger/maintenance/marks.ts";
import { STORE_FORMAT, type StoreInfo } from "../store.ts";
import type { OperationQueue } from "./operations/operation_queue.ts";

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
