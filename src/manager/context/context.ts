import type { Clock } from "../../platform/clock.ts";
import type { IdSource } from "../../platform/ids.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import type { Store } from "../../store/store.ts";
import type { Executor } from "../../worker/executor.ts";

/** Dependencies of a manager; each part picks what it needs. */
export interface Context {
  readonly store: Store;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly logger: Logger;
  /** Id of this node. */
  readonly node: string;
  /** Duration of a claim unless it is renewed. */
  readonly leaseMs: number;
}
