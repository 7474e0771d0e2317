import type { Instant } from "../../src/platform/clock.ts";
import { ValkeyStore } from "../../src/store/valkey/valkey_store.ts";
import { plainLink } from "../support/plain_valkey_link.ts";
import { startValkey, type ValkeyServer } from "../support/valkey_server.ts";
import type { MediumFaults } from "./failing_tables.ts";
import type { Fixture } from "./model_run.ts";

let server: Promise<ValkeyServer> | null = null;
let trailCount = 0;

/** Makes stores on a namespace of their own, all on one server, by the time of the trail. */
export async function valkeyFixture(
  faults: MediumFaults,
  defer: (callback: () => void) => void,
): Promise<Fixture> {
  server ??= startValkey();
  const { port } = await server;
  const namespace = `trail ${trailCount++}`;
  let now: Instant = { wallMs: 0, monotonicMs: 0 };
  const clock = () => now;
  return {
    faults,
    tables: null,
    open: () => new ValkeyStore({ link: plainLink({ port }), namespace, clock, defer }),
    setTime: (time) => now = time,
    end: () => {},
  };
}

/** End the server that the trails started. */
export async function endModelServer(): Promise<void> {
  await (await server)?.close();
  server = null;
}
