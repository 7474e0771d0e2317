import {
  type Block,
  type ClaimLimits,
  isOfQueue,
  type JobLimits,
  keptSlots,
} from "../../../core/job/limits.ts";
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
function partsOf(limits: JobLimits): Packable {
  const { concurrency, rate } = limits;
  const slotsOf = (ofQueue: boolean) =>
    concurrency.filter((limit) => isOfQueue(limit) === ofQueue)
      .map(({ max, per }) => [max, per === "node"]);
  const ratesOf = (ofQueue: boolean) => rate.filter((limit) => isOfQueue(limit) === ofQueue);
  const spans = (ofQueue: boolean) => ratesOf(ofQueue).map(({ max, perMs }) => [max, perMs]);
  return {
    slots: slotsOf(false),
    queueSlots: slotsOf(true),
    // Claims take slots of the queue that instances keep to their end.
    keepsSlots: keptSlots(limits) !== undefined,
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
