import { isJobError, JobError } from "../../core/errors.ts";
import { instantOfWall } from "../../core/wall_time.ts";
import { openZone } from "../../core/zone.ts";
import { usageError } from "../args.ts";
import { listSchedules } from "../lookup.ts";
import { makeVisible } from "../../core/safe_text.ts";
import type { JobClient, RequestOf } from "../session.ts";
import { parseTime } from "../time.ts";
import type { Verb, VerbContext } from "../verb.ts";
import { TICK_REPORT_VIEW } from "../views/tick_view.ts";
import { timestampOf } from "../wire.ts";

const KIND = /^[\w.:-]+$/;
const LIMIT_MAX = 1_000;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** A time stands for its minute, or for its second when it names one. */
function spanOf(atMs: number): Pick<RequestOf<"explain">, "at" | "spanMs"> {
  const isMinute = atMs % MINUTE_MS === 0;
  const from = isMinute ? atMs : Math.floor(atMs / 1_000) * 1_000;
  return { at: timestampOf(from), spanMs: isMinute ? 60_000n : 1_000n };
}

async function hasKind(client: JobClient, kind: string): Promise<boolean> {
  try {
    await client.getJob({ kind });
    return true;
  } catch (error) {
    if (isJobError(error, "not_found")) return false;
    throw error;
  }
}

/** A time without an offset, as the clock on the wall shows it: not "-2h", "now" or "…Z". */
const WALL = /^(today|tomorrow|yesterday|\d{4}-\d{2}-\d{2}|\d{1,2}:\d{2})/i;
const OFFSET = /(Z|[+-]\d{2}:?\d{2})$/i;

// "02:30" of a schedule in another zone means the clock of that zone.
async function inZoneOf(
  client: JobClient,
  kind: string,
  time: { readonly text: string; readonly atMs: number; readonly nowMs: number },
): Promise<number> {
  const { atMs, nowMs } = time;
  const text = time.text.trim();
  if (!WALL.test(text) || OFFSET.test(text)) return atMs;
  const zones = new Set<string>();
  for await (const { timezone } of listSchedules(client, kind, null)) zones.add(timezone);
  const [zone, other] = zones;
  if (zone === undefined || other !== undefined) return atMs;
  const wallMs = atMs - new Date(atMs).getTimezoneOffset() * MINUTE_MS;
  const inZoneMs = instantOfWall(openZone(zone), wallMs / 1_000) * 1_000;
  const isClock = /^\d{1,2}:/.test(text);
  return isClock && inZoneMs > nowMs ? inZoneMs - DAY_MS : inZoneMs;
}

// A kind goes before a time and an id, which never look alike.
async function readSubject(
  text: string,
  client: JobClient,
  { io }: VerbContext,
): Promise<RequestOf<"explain">> {
  if (await hasKind(client, text)) return { kind: text };
  if (/^([0-9a-f]{4,8}|[0-9a-f]{8}-[0-9a-f-]*)$/i.test(text)) return { uuid: text };
  try {
    const nowMs = io.clock.now().wallMs;
    return spanOf(parseTime(text, { nowMs, direction: "past", what: "the time" }));
  } catch {
    // The daemon knows why a kind that is configured is not there, and which is near.
    if (KIND.test(text)) return { kind: text };
    const shown = makeVisible(text);
    throw new JobError(
      "not_found",
      `Cannot explain "${shown}": it is no kind, no id of an instance and no time`,
      { hint: 'See "jobctl list jobs" and "jobctl list instances"; a time is "02:30" or "-2h"' },
    );
  }
}

/** `jobctl explain KIND|ID|TIME` */
export const EXPLAIN: Verb = {
  name: "explain",
  summary: "Tell why something ran or did not",
  details: [
    "Of a kind: its last ticks and the next one. Of an instance: where it comes from and what became",
    "of it. Of a time: every tick that was due in that minute, or the nearest ones when there was",
    "none. Each with the rule of its schedule.",
  ].join(" "),
  words: [{
    name: "SUBJECT",
    describe: "A kind, an id of an instance or a beginning of it, or a time",
  }],
  options: {
    at: {
      describe:
        'With a kind: what of this time, on the clock of its zone: "02:30", "yesterday 2:30"',
    },
    limit: { describe: "With a kind: how many of its last ticks (default 5)" },
  },
  examples: [
    ["jobctl explain backup", "What became of its last runs"],
    ["jobctl explain backup --at 02:30", "Did it run last night, and if not, why"],
    ["jobctl explain 01938f2c-7d3e", "Where does this instance come from"],
    ["jobctl explain 2026-11-24T02:30", "What was due then"],
  ],
  isClient: true,
  async run(args, context) {
    const atMs = args.timeMs("at", "past");
    const limit = args.integer("limit", { min: 1, max: LIMIT_MAX });
    const client = await context.client();
    const subject = await readSubject(args.word("SUBJECT"), client, context);
    if (subject.kind === undefined && (atMs !== undefined || limit !== undefined)) {
      const option = atMs === undefined ? "limit" : "at";
      throw usageError(
        `Cannot use --${option} with "${makeVisible(args.word("SUBJECT"))}": it is no kind`,
        "Leave it out",
      );
    }
    const nowMs = context.io.clock.now().wallMs;
    const text = args.text("at") ?? "";
    const { reports } = await client.explain({
      ...subject,
      ...(atMs === undefined
        ? {}
        : spanOf(await inZoneOf(client, subject.kind!, { text, atMs, nowMs }))),
      limit,
    });
    await context.printer.list(TICK_REPORT_VIEW, reports);
    if (reports.length === 0) await context.printer.note("There is no recurring schedule");
    return 0;
  },
};
