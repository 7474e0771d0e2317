import { calendar } from "./calendar.ts";
import { forecast } from "./forecast.ts";
import { KindHistories } from "./kind_history.ts";
import type { TimelineParts } from "./tick_forecast.ts";
import { lookupTimeline } from "./past_runs.ts";
import type {
  CalendarQuery,
  CalendarResult,
  ForecastQuery,
  ForecastResult,
  TimelineApi,
  TimelineQuery,
  TimelineResult,
} from "../api/timeline.ts";

/** Reads about the past and the future by time; what they learn of jobs is kept for a minute. */
export class Timeline implements TimelineApi {
  readonly #parts: TimelineParts;

  constructor({ store, clock, facts }: Omit<TimelineParts, "histories">) {
    this.#parts = { store, clock, facts, histories: new KindHistories(store, clock) };
  }

  forecast(query: ForecastQuery = {}): Promise<ForecastResult> {
    return forecast(query, this.#parts);
  }

  calendar(query: CalendarQuery = {}): Promise<CalendarResult> {
    return calendar(query, this.#parts);
  }

  lookupTimeline(query: TimelineQuery = {}): Promise<TimelineResult> {
    return lookupTimeline(query, this.#parts);
  }
}
