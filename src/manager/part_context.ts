import type { Context } from "./context.ts";
import type { LateNotices } from "./late_notices.ts";
import type { EarlyClaims } from "./dispatch/early_claims.ts";
import type { Events } from "./events.ts";
import type { Registry } from "./registry.ts";
import type { TickCounter } from "./schedules/tick_counter.ts";
import type { StoreHealth } from "./store/store_health.ts";

/** The surroundings of a manager, with the parts and facts that most other parts use. */
export interface PartContext extends Context {
  readonly registry: Registry;
  readonly events: Events;
  readonly storeHealth: StoreHealth;
  readonly earlyClaims: EarlyClaims;
  readonly ticks: TickCounter;
  readonly notices: LateNotices;
  /** Version of the time zone database. */
  readonly tzVersion: string;
  /** Instances are due: claim them in this turn of the event loop, if a worker is free. */
  readonly due: () => void;
}
