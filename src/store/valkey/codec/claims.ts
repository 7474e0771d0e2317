import type { Block, ClaimLimits, JobLimits } from "../../../core/job/limits.ts";
import type { ClaimRequest } from "../../store.ts";
import { pack, type Packable, Packed, Packer } from "./msgpack.ts";

const NO_LIMITS = pack(false);
const packedKinds = new WeakMap<ReadonlySet<string>, Packed>();
const packedLimits = new WeakMap<ClaimLimits, Packed>();

/** Kinds in the form of the script, encoded once per set. */
function packKinds(kinds: ReadonlySet<string>): Packed {
  let packed = packedKinds.get(kinds);
  if (!packed) packedKinds.set(kinds, packed = pack([...kinds]));
  return packed;
}

/** Limits in the form of the script, encoded once per object. */
function packLimits(limits: ClaimLimits | undefined): Packed {
  if (!limits || (limits.kinds.size === 0 && limits.pools.length === 0)) return NO_LIMITS;
  let packed = packedLimits.get(limits);
  if (packed) return packed;
  const kinds: Record<string, Packable> = {};
  for (const [kind, job] of limits.kinds) kinds[kind] = partsOf(job);
  const pools = limits.pools.map(({ name, kinds, max }) => [name, [...kinds], max]);
  const into = new Packer();
  into.write({ kinds, pools });
  packedLimits.set(limits, packed = new Packed(into.bytes()));
  return packed;
}

/** Separates the limits of a kind from those of its queues. */
function partsOf({ concurrency, rate }: JobLimits): Packable {
  const slotsOf = (isOfQueue: boolean) =>
    concurrency.filter(({ by }) => by.length > 0 === isOfQueue)
      .map(({ max, per }) => [max, per === "node"]);
  const ratesOf = (isOfQueue: boolean) => rate.filter(({ by }) => by.length > 0 === isOfQueue);
  const spans = (isOfQueue: boolean) => ratesOf(isOfQueue).map(({ max, perMs }) => [max, perMs]);
  return {
    slots: slotsOf(false),
    queueSlots: slotsOf(true),
    rates: spans(false),
    queueRates: spans(true),
    // Identifies the rates of the queues.
    stamp: ratesOf(true).map(({ max, perMs }) => `${max}/${perMs}`).join(" "),
  };
}

/** The asking node, its kinds and limits: the first arguments of every operation about due work. */
export function claimerOf(
  { node = "", kinds, limits }:
    & Partial<Pick<ClaimRequest, "node" | "limits">>
    & Pick<ClaimRequest, "kinds">,
): readonly Packable[] {
  return [node, packKinds(kinds), packLimits(limits)];
}

/** Read a block. */
export function readBlock(value: unknown): Block {
  const [limit, name, used, max, opensAt] = value as [
    string,
    string,
    number,
    number,
    number | false,
  ];
  return {
    limit: limit as Block["limit"],
    name,
    used,
    max,
    opensAt: opensAt === false ? null : opensAt,
  };
}
