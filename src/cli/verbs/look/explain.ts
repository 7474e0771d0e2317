import { orElseIf } from "../../../core/or_else.ts";
import { isJobError, JobError } from "../../../core/errors.ts";
import { openZone } from "../../../core/time/zone.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import { writeMessage } from "../../parsing/written_file.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import { ownZone, writeZone, zoneOfJob } from "../../lookup/job_time.ts";
import { findInstance, isLast } from "../../lookup/find_instance.ts";
import { listSchedules } from "../../lookup/lookup.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import { type RequestOf, timestampOf } from "../../io/wire.ts";
import type { TickReport } from "../../../rpc/gen/job_pb.ts";
import { isWallTime, parseTime, type TimeOptions } from "../../parsing/time.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { TICK_REPORT_VIEW } from "../../views/tick_view.ts";

const KIND = /^[\w.:-]+$/;
/** An id or a part of one, which may also be a date. */
const ID_PART = /^[0-9a-f-]{4,36}$/i;
const DATE = /^(\d{4}-\d{1,2}(-\d{1,2})?|-.*)$/;
const LIMIT_MAX = 1_000;
const MINUTE_MS = 60_000;
/** Most zones in which one time is looked up. With more, the job's or the local zone is used. */
const ZONES_MAX = 20;

/** A time means its minute, or its second if it has one. */
function spanOf(atMs: number): Pick<RequestOf<"explain">, "at" | "spanMs"> {
  const isMinute = atMs % MINUTE_MS === 0;
  const from = isMinute ? atMs : Math.floor(atMs / 1_000) * 1_000;
  return { at: timestampOf(from), spanMs: isMinute ? 60_000n : 1_000n };
}

interface CommandLine {
  readonly args: Args;
  readonly context: VerbContext;
}

/** A requested time in one of the possible zones. */
interface AskedTime {
  /** The zone of the schedules to look at; null for all of them. */
  readonly timezone: string | null;
  readonly atMs: number;
}

/**
 * "02:30" is in the schedule's own zone: one time for each zone of the schedules.
 *
 * @param kind only its schedules count; undefined for all
 */
async function askedTimes(
  text: string,
  client: JobClient,
  kind: string | undefined,
  { args, context }: CommandLine,
): Promise<readonly AskedTime[]> {
  const nowMs = context.io.clock.now().wallMs;
  const options = {
    nowMs,
    direction: "past",
    what: kind === undefined ? "the time" : "--at",
  } as const;
  const local = parseTime(text, options);
  if (!isWallTime(text)) return [{ timezone: null, atMs: local }];
  const zones = new Set<string>();
  const kinds = kind === undefined ? [] : [kind];
  for await (const { timezone } of listSchedules(client, kinds, null)) zones.add(timezone);
  if (zones.size === 0 || zones.size > ZONES_MAX) {
    const found = kind === undefined ? null : await zoneOfJob(client, kind);
    const { timezone, whose } = found ?? ownZone();
    await writeZone(text, { timezone, whose }, { args, context });
    return [{ timezone: null, atMs: await dueTime(text, timezone, options, { args, context }) }];
  }
  const names = [...zones].sort();
  const schedules = kind === undefined ? "the schedules" : `the schedules of ${makeVisible(kind)}`;
  const whose = `${names.length === 1 ? "the zone" : "the zones"} of ${schedules}`;
  await writeZone(text, { timezone: names.join(", "), whose }, { args, context });
  const times: AskedTime[] = [];
  for (const timezone of names) {
    const atMs = await dueTime(text, timezone, options, { args, context });
    times.push({ timezone: names.length === 1 ? null : timezone, atMs });
  }
  return times;
}

/** Time when a job due at a wall-clock time ran; reports a clock change that skipped it. */
async function dueTime(
  text: string,
  timezone: string,
  options: TimeOptions,
  { args, context }: CommandLine,
): Promise<number> {
  const inZone = { ...options, zone: openZone(timezone) };
  const atMs = parseTime(text, { ...inZone, isDueTime: true });
  if (atMs !== parseTime(text, inZone) && !args.flag("quiet")) {
    await writeMessage(
      context.io,
      `The clocks of ${timezone} skipped "${makeVisible(text)}": jobs due then run at the change`,
    );
  }
  return atMs;
}

/** The reports of a time, in each possible zone. */
async function explainAt(
  text: string,
  client: JobClient,
  subject: RequestOf<"explain">,
  line: CommandLine,
): Promise<readonly TickReport[]> {
  const found: TickReport[] = [];
  for (const { timezone, atMs } of await askedTimes(text, client, subject.kind, line)) {
    const { reports } = await client.explain({ ...subject, ...spanOf(atMs) });
    found.push(
      ...reports.filter(({ schedule }) => timezone === null || schedule?.timezone === timezone),
    );
  }
  // The nearest ticks are shown only if no tick was due at that time.
  const ticks = found.filter(({ outcome }) => outcome !== "none");
  return ticks.length > 0 ? ticks : found;
}

// A kind takes precedence over a time and an id, which never look alike. A time is read later, in
// the zones of the schedules.
async function readSubject(
  text: string,
  client: JobClient,
  { io }: VerbContext,
): Promise<RequestOf<"explain">> {
  if (await orElseIf(client.getJob({ kind: text }), ["not_found"], null)) return { kind: text };
  if (isLast(text)) return { uuid: (await findInstance(client, text, "")).uuid };
  if (ID_PART.test(text) && !DATE.test(text)) return { uuid: text };
  try {
    parseTime(text, { nowMs: io.clock.now().wallMs, direction: "past", what: "the time" });
    return {};
  } catch {
    // The daemon knows why a configured kind is missing, and which kind is similar.
    if (!KIND.test(text)) await assertRecords(text, client);
    return { kind: text };
  }
}

/** Accept a text that may be a mistyped time as a kind only if the daemon has its records. */
async function assertRecords(text: string, client: JobClient): Promise<void> {
  try {
    await client.explain({ kind: text, limit: 1 });
  } catch (error) {
    if (!isJobError(error, "not_found") && !isJobError(error, "invalid_argument")) throw error;
    const known = error.code === "not_found" && error.hint
      ? error.hint
      : 'See "jobctl list jobs" and "jobctl list instances"';
    throw new JobError(
      "not_found",
      `Cannot explain "${makeVisible(text)}": it is not a kind, an instance id or a time`,
      { hint: `${known}; a time is "02:30" or "-2h"` },
    );
  }
}

/** `jobctl explain KIND|ID|TIME` */
export const EXPLAIN: Verb = {
  name: "explain",
  summary: "Explain why something ran or did not",
  details: [
    "For a kind: its last ticks and the next one. For an instance: where it came from and what",
    "became of it. For a time: every tick that was due in that minute, or the nearest ticks if",
    "there was none. Each tick is shown with the rule of its schedule. A time without a zone is",
    "in the schedule's zone. Disabled and removed jobs can be explained as long as the store has",
    "records of them.",
  ].join(" "),
  words: [{
    name: "SUBJECT",
    describe: "A kind, the id of an instance or a part of it, last, last:KIND, or a time",
    offers: "kind",
  }],
  options: {
    at: {
      value: "TIME",
      describe:
        'With a kind: what happened at this time, in its schedule\'s zone: "02:30", "yesterday 2:30"',
    },
    limit: { value: "N", describe: "With a kind: how many of its last ticks (default 5)" },
    ...FIELDS_OPTION,
  },
  examples: [
    ["jobctl explain backup", "What became of its last runs"],
    ["jobctl explain backup --at 02:30", "Whether it ran last night, and if not, why not"],
    ["jobctl explain 01938f2c-7d3e", "Where this instance came from"],
    ["jobctl explain 2026-11-24T02:30", "What was due then"],
  ],
  async run(args, context) {
    const hasAt = args.timeMs("at", "past") !== undefined;
    const limit = args.integer("limit", { min: 1, max: LIMIT_MAX });
    const client = await context.client();
    const word = args.word("SUBJECT");
    const subject = await readSubject(word, client, context);
    if (subject.kind === undefined && (hasAt || limit !== undefined)) {
      throw usageError(
        `Cannot use --${hasAt ? "at" : "limit"} with "${makeVisible(word)}": it is not a kind`,
        "Leave it out",
      );
    }
    const isTime = subject.kind === undefined && subject.uuid === undefined;
    const reports = hasAt || isTime
      ? await explainAt(isTime ? word : args.text("at")!, client, { ...subject, limit }, {
        args,
        context,
      })
      : (await client.explain({ ...subject, limit })).reports;
    await context.printer.list(TICK_REPORT_VIEW, reports);
    if (reports.length === 0) await context.printer.note("There is no recurring schedule");
  },
};
