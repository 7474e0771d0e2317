import type { Clock } from "../platform/clock.ts";
import type { StoreReads } from "../store/store.ts";
import type { LiveFacts, ReadApi } from "./api.ts";
import { readOptions } from "./context/call_options.ts";

/** Sources of {@link lateReads}. */
interface ReadParts {
  readonly store: StoreReads;
  readonly clock: Clock;
  readonly facts: LiveFacts;
}

/** Reads that explain, forecast and count. Their code is loaded with the first one. */
export function lateReads(
  partsOf: () => ReadParts,
): Pick<ReadApi, "explain" | "forecast" | "calendar" | "lookupTimeline"> {
  const timelineOf = async () => {
    const { Timeline } = await import("./timeline/timeline.ts");
    const { store, clock, facts } = partsOf();
    return new Timeline({ store, clock, facts });
  };
  let timeline: ReturnType<typeof timelineOf> | null = null;
  return {
    async explain(query) {
      const read = readOptions("explain", query, "explain");
      const { explain } = await import("./timeline/explain.ts");
      return await explain(read, partsOf());
    },
    async forecast(query) {
      const read = readOptions("forecast", query, "forecast");
      return await (await (timeline ??= timelineOf())).forecast(read);
    },
    async calendar(query) {
      const read = readOptions("calendar", query, "make a calendar");
      return await (await (timeline ??= timelineOf())).calendar(read);
    },
    async lookupTimeline(query) {
      const read = readOptions("timeline", query, "show a timeline");
      return await (await (timeline ??= timelineOf())).lookupTimeline(read);
    },
  };
}
