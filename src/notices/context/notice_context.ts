import type { Instance } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { Clock } from "../../platform/clock.ts";
import type { IdSource } from "../../platform/ids.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Store } from "../../store/store.ts";
import type { Channel } from "../channels/channel.ts";
import type { FloodGate } from "./flood_gate.ts";

/** Dependencies of notices; each part picks what it needs. */
export interface NoticeContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly node: string;
  readonly host: string;
  /** IANA name, for quiet hours and for silences of jobs without a zone. */
  readonly timezone: string;
  readonly findJob: (kind: string) => JobDefinition | undefined;
  /** The currently configured channels by name. */
  readonly channels: ReadonlyMap<string, Channel>;
  readonly flood: FloodGate;
  /** True if a success took less than its job is expected to. */
  readonly isShort: (instance: Instance) => Promise<boolean>;
}
