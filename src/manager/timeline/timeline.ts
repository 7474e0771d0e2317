import type { ReadApi } from "../api/reads.ts";
import { readOptions } from "../context/call_options.ts";
import { calendar } from "./calendar.ts";
import { explain } from "./explain.ts";
import { forecast } from "./forecast.ts";
import { KindHistories } from "./kind_history.ts";
import { lookupTimeline } from "./past_runs.ts";
import type { TimelineParts } from "./tick_forecast.ts";

/** Reads about the past and the future by time. */
export type TimelineReads = Pick<
  ReadApi,
  "explain" | "forecast" | "calendar" | "lookupTimeline"
>;

/** Reads about the past and the future by time; statistics of jobs are kept for a minute. */
export class Timeline implements TimelineReads {
  readonly #parts: TimelineParts;

  constructor({ store, clock, facts }: Omit<TimelineParts, "histories">) {
    this.#parts = { store, clock, facts, histories: new KindHistories(store, clock) };
  }

  explain: TimelineReads["explain"] = (query) =>
    explain(readOptions("explain", query, "explain"), this.#parts);

  forecast: TimelineReads["forecast"] = (query = {}) =>
    forecast(readOptions("forecast", query, "forecast"), this.#parts);

  calendar: TimelineReads["calendar"] = (query = {}) =>
    calendar(readOptions("calendar", query, "make a calendar"), this.#parts);

  lookupTimeline: TimelineReads["lookupTimeline"] = (query = {}) =>
    lookupTimeline(readOptions("timeline", query, "show a timeline"), this.#parts);
}
