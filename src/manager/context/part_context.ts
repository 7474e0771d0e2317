import type { Context } from "./context.ts";
import type { Notices } from "../../notices/notices.ts";
import type { EarlyClaims } from "./early_claims.ts";
import type { Events } from "./events.ts";
import type { Registry } from "./registry.ts";
import type { TickCounter } from "./tick_counter.ts";
import type { StoreHealth } from "./store_health.ts";

/** Dependencies of a manager, with the parts and facts that most other parts use. */
export interface PartContext extends Context {
  readonly registry: Registry;
  readonly events: Events;
  readonly storeHealth: StoreHealth;
  readonly earlyClaims: EarlyClaims;
  readonly ticks: TickCounter;
  /** Notifies people; parts are null until needed. */
  readonly notices: {
    readonly parts: { readonly notices: Notices } | null;
    isOutputWanted(kind: string): boolean;
  };
  /** Version of the time zone database. */
  readonly tzVersion: string;
  /** Instances are due: claim them in this turn of the event loop, if a worker is free. */
  readonly due: () => void;
}
