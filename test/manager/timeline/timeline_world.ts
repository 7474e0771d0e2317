import { setImmediate } from "node:timers";
import { CaseTime } from "../../../src/conformance/index.ts";
import { StoreWorld } from "../../../src/conformance/world/store_world.ts";
import type { LiveFacts } from "../../../src/manager/api.ts";
import { Timeline } from "../../../src/manager/timeline/timeline.ts";
import { type Clock, systemClock } from "../../../src/platform/clock.ts";
import type { Store } from "../../../src/store/store.ts";

/** A timeline on a store whose time the test moves at once, without a manager. */
export class TimelineWorld extends StoreWorld {
  readonly timeline: Timeline;

  constructor(store: Store, time: CaseTime = new CaseTime()) {
    super(store, { store }, time);
    const clock: Clock = {
      now: () => this.at,
      timer: systemClock.timer,
      defer: (callback) => void setImmediate(callback),
    };
    const facts: LiveFacts = {
      kinds: async () => ["mail"],
      ownKinds: async () => [],
      isKnown: async () => true,
      assertKnown: async () => {},
      disabledBecause: async () => null,
      timezoneOf: async () => "UTC",
      blockOf: async () => null,
      kindsOfTag: async () => [],
      unservedKinds: async () => new Map(),
      processesOf: async () => new Map(),
      listPauses: () => store.listPauses(),
    };
    this.timeline = new Timeline({ store, clock, facts });
  }

  /** Open the store. @returns the world */
  async opened(): Promise<this> {
    await this.store.open({ at: this.at, node: "n1" });
    return this;
  }
}
