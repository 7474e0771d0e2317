import type { JobClient } from "../../rpc/client/client.ts";
import type { Args } from "../parsing/args.ts";
import { zoneOfJob } from "./job_time.ts";
import type { OptionSpecs, WordSpec } from "../parsing/options.ts";

/** The word that names the job of a verb about ticks. */
export const TICKS_KIND: WordSpec = { name: "KIND", describe: "Kind of the job", offers: "kind" };

/** The option that selects one schedule of the job. */
export const TICKS_SCHEDULE: OptionSpecs = {
  schedule: { value: "ID", describe: "Only the job's schedule with this id", offers: "schedule" },
};

/** The job and the schedule that a command line names. */
export function ticksTarget(args: Args) {
  return { kind: args.word("KIND"), scheduleId: args.text("schedule") };
}

/** Reads the time zone of that schedule. */
export function ticksZone(args: Args, client: JobClient) {
  return async () => await zoneOfJob(client, args.word("KIND"), args.text("schedule"));
}
