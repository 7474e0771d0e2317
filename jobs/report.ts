import type { Context } from "ts-job";

/**
 * Writes the daily report of a region to the log.
 *
 * The schedule and the arguments are in config.example.toml; `jobctl schedule report 2026-01-31 eu` runs it for another day.
 *
 * @param day the day to report
 * @param region whose day it is
 */
export default function report(context: Context, day: Date, region: string): string {
  const date = day.toISOString().slice(0, 10);
  const weekday = day.toLocaleDateString("en", { weekday: "long", timeZone: "UTC" });
  context.log.info(`${region}: ${date} is a ${weekday}`);
  return `${region}-${date}`;
}
