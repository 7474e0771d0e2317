import type { Block, ClaimLimits, JobLimits } from "../../../core/job/limits.ts";
import type { ClaimRequest } from "../../store.ts";
import { pack, type Packable, Packed, Tuple } from "./msgpack.ts";

const packedOnce = new WeakMap<object, Packed>();

/** Encode an object's data in the form of the script, once for each object. */
function packOnce<T extends object>(object: T, packableOf: (object: T) => Packable): Packed {
  let packed = packedOnce.get(object);
  if (!packed) packedOnce.set(object, packed = new Packed(pack(packableOf(object))));
  return packed;
}

function kindsOf(kinds: ReadonlySet<string>): Packable {
  return [...kinds];
}

function limitsOf({ kinds, pools }: ClaimLimits): Packable {
  if (kinds.size === 0 && pools.length === 0) return false;
  return {
    kinds: Object.fromEntries(Array.from(kinds, ([kind, job]) => [kind, partsOf(job)] as const)),
    pools: pools.map(({ name, kinds, max }) => [name, [...kinds], max]),
  };
}

/** Separates the limits of a kind from its queues' limits. */
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
  return [node, packOnce(kinds, kindsOf), limits && packOnce(limits, limitsOf)];
}

/** The block of an instance, as the script returns it. */
export const BLOCK = new Tuple<Block>(["limit", "name", "used", "max", "opensAt"]);
