import { signalKey, stepMemoKey, type StepPut, type Wait } from "../../core/wait.ts";
import type { Instance } from "../../core/instance.ts";
import type { SignalRequest } from "../../store/store.ts";
import { completed, type StoreWorld } from "./store_world.ts";

/** A pause. */
export const TIME: Wait = { key: null, type: "time", name: "pause", until: null };
/** A wait for a signal. */
export const APPROVED: Wait = {
  key: signalKey("approved", 1),
  type: "signal",
  name: "approved",
  until: null,
};

/** Record steps. @returns the stale claims */
export async function put(
  world: StoreWorld,
  { id, fence }: Instance,
  ...steps: readonly StepPut[]
) {
  return (await world.store.putSteps({ at: world.at, puts: [{ id, fence, steps }] })).value;
}

/** The records of an instance, by key. */
export async function steps(world: StoreWorld, { id }: { readonly id: string }) {
  const prefix = stepMemoKey(id, "");
  const found = await world.store.listMemos({ prefix, after: null, limit: 100 });
  return Object.fromEntries(found.map(({ key, data }) => [key.slice(prefix.length), data]));
}

/** Park a running instance. */
export async function park(world: StoreWorld, running: Instance, ...waits: readonly Wait[]) {
  return (await world.settle(running, { outcome: { type: "park", waits } })).instance!;
}

/** Send a signal. */
export async function signal(world: StoreWorld, id: string, given: Partial<SignalRequest> = {}) {
  const request = { to: { id }, name: "approved", data: "true", signalId: null, ...given };
  return (await world.store.signal({ at: world.at, signals: [request] })).value[0]!;
}

/** Claim the first child, and settle it. */
export async function settleChild(
  world: StoreWorld,
  outcome = completed('["done"]'),
): Promise<void> {
  const [child] = await world.claim(1, ["render"]);
  await world.settle(child!, { outcome });
}

/** True if an instance may be claimed now. */
export async function isDue(world: StoreWorld, { id }: Instance): Promise<boolean> {
  return (await world.store.get(id))!.dueAt <= world.wallMs;
}
