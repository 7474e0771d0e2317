import type { Instant } from "../../src/platform/clock.ts";
import { ValkeyWorld } from "../support/servers/valkey_world.ts";
import type { MediumFaults } from "./failing_tables.ts";
import type { Fixture } from "./model_run.ts";

const world = new ValkeyWorld();

/** Makes stores in their own namespaces on one server, with the time of the trail. */
export async function valkeyFixture(
  faults: MediumFaults,
  defer: (callback: () => void) => void,
): Promise<Fixture> {
  let now: Instant = { wallMs: 0, monotonicMs: 0 };
  const { make } = await world.stores({ clock: () => now, defer });
  return { faults, tables: null, open: make, setTime: (time) => now = time, end: () => {} };
}

/** Stop the server that the trails started. */
export async function endModelServer(): Promise<void> {
  await world.close();
}
