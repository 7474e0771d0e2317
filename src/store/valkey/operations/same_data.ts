import { createHash } from "node:crypto";
import { JobError } from "../../../core/errors.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { GreetingRun, ValkeyScript } from "../link/link.ts";
import { Unpacker } from "../codec/msgpack.ts";

const TEXT = `
local head = redis.call('GET', KEYS[1] .. 'head')
if not head then return cmsgpack.pack(false) end
head = cmsgpack.unpack(head)
return cmsgpack.pack({head.id, head.epoch, head.rev})`;

const HEAD_SCRIPT: ValkeyScript = {
  text: TEXT,
  sha1: createHash("sha1").update(TEXT).digest("hex"),
};

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

/** The server has not the data that this node works with. */
export function otherData(): JobError {
  return new JobError(
    "unavailable",
    "Cannot use the server: it has other data than when this node joined, or none",
    { hint: "Restart the daemon; a server that lost its data has none of what was accepted" },
  );
}
