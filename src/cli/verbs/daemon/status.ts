import { orElseIf } from "../../../core/or_else.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type {
  GetStatusResponse,
  Incident,
  JobInstance,
  KindCounts,
  PauseEntry,
  Silence,
} from "../../../rpc/gen/job_pb.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import { FIELDS_OPTION } from "../../parsing/options.ts";
import { untilAfter } from "../../parsing/query.ts";
import type { Printer } from "../../output/printer.ts";
import { NOTICE_KINDS } from "../../../core/notices/notice.ts";
import { countText } from "../../../core/text/count_text.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { Cell, Style } from "../../output/table.ts";
import type { Column } from "../../output/view.ts";
import type { Verb } from "../../verb/verb.ts";
import { fieldLines } from "../../views/details.ts";
import { formatAbsolute, timeText } from "../../output/when.ts";
import { incidentText, silenceText, worstFirst } from "../../views/notice_views.ts";
import { blockText } from "../../views/instance_view.ts";
import { stateOfName } from "../../io/wire.ts";
import { missingText, silentText } from "../../views/record_views.ts";
import { RUNNING_COLUMNS } from "../../views/usage_view.ts";

/** Instances of a kind by state, for people. */
const COUNT_COLUMNS: readonly Column<KindCounts>[] = [
  { title: "KIND", weight: 9, least: 12, cell: ({ kind }) => kind },
  { title: "WAITING", weight: 7, isNumber: true, cell: ({ scheduled }) => countCell(scheduled) },
  {
    title: "RUNNING",
    weight: 8,
    isNumber: true,
    cell: ({ processing }) => countCell(processing, "active"),
  },
  {
    title: "FAILED",
    weight: 8,
    isNumber: true,
    cell: ({ terminated, timedOut }) => countCell(terminated + timedOut, "bad"),
  },
  { title: "DONE", weight: 6, isNumber: true, cell: ({ completed }) => countCell(completed) },
  { title: "CANCELED", weight: 3, isNumber: true, cell: ({ canceled }) => countCell(canceled) },
];

function countCell(count: bigint, style?: Style): Cell {
  return count > 0n ? { text: String(count), style } : { text: "" };
}

/** Most incidents that are counted. */
const INCIDENTS_MAX = 1_000;
/** Most incidents that people are shown. */
const INCIDENTS_SHOWN = 5;
/** Most silences that people are shown. */
const SILENCES_SHOWN = 5;
/** Most running instances that are read and shown. */
const RUNNING_MAX = 100;
const RUNNING_SHOWN = 10;
/** Most kinds whose counts are shown on a terminal. */
const KINDS_SHOWN = 30;

/** Parts of the status that GetStatus does not return. */
interface Extras {
  readonly pauses: readonly PauseEntry[];
  /** The worst first; at most INCIDENTS_MAX. */
  readonly incidents: readonly Incident[];
  readonly silences: readonly Silence[];
  /** Running instances with known usage, most memory first. */
  readonly running: readonly JobInstance[];
}

const OLDER = ["unimplemented"] as const;

async function readExtras(client: JobClient): Promise<Extras> {
  const states = [stateOfName("processing")!];
  const [{ pauses }, { instances }, { incidents }, { silences }] = await Promise.all([
    client.listPauses({}),
    client.lookupInstances({ query: { states, pageSize: RUNNING_MAX }, brief: true }),
    // An older daemon has no incidents and no silences.
    orElseIf(client.listIncidents({ pageSize: INCIDENTS_MAX }), OLDER, { incidents: [] }),
    orElseIf(client.listSilences({}), OLDER, { silences: [] }),
  ]);
  const running = instances.filter(({ process }) => process !== undefined)
    .toSorted((one, other) => memoryOf(other) - memoryOf(one));
  return { pauses, incidents: incidents.toSorted(worstFirst), silences, running };
}

function memoryOf({ process }: JobInstance): number {
  return Number(process?.rssBytes ?? 0n);
}

function kindsOf({ kinds }: GetStatusResponse): readonly KindCounts[] {
  return [...kinds].sort((a, b) => a.kind < b.kind ? -1 : 1);
}

/** A pause for people: `everything until 2026-11-24 17:00:00Z (in 2h): disk is being replaced`. */
function pauseText({ kind, until, reason }: PauseEntry, nowMs: number): string {
  const time = until === undefined ? "resumed" : timeText(until, nowMs);
  const why = reason === "" ? "" : `: ${makeVisible(reason)}`;
  return `${kind === undefined ? "everything" : makeVisible(kind)} until ${time}${why}`;
}

/** Next run of any schedule; paused, skipped and ended schedules do not count. */
function nextText({ schedules, nextScheduleAt }: GetStatusResponse, nowMs: number) {
  return timeText(nextScheduleAt, nowMs) ?? (schedules > 0n ? "none will run" : undefined);
}

function moreText(count: number): string | undefined {
  return count > 0 ? `${count} more: jobctl list silences` : undefined;
}

/** For example `12 open, 2 of them acknowledged`; undefined for none. */
function incidentsText(incidents: readonly Incident[]): string | undefined {
  if (incidents.length === 0) return undefined;
  const count = incidents.length < INCIDENTS_MAX ? String(incidents.length) : "1,000 or more";
  const known = incidents.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined).length;
  return `${count} open${known === 0 ? "" : `, ${known} of them acknowledged`}`;
}

/** View settings of a status, and its daemon. */
interface Shown {
  readonly printer: Printer;
  readonly daemon: string;
}

function fieldsOf(
  status: GetStatusResponse,
  extras: Extras,
  { printer, daemon }: Shown,
): string[] {
  const { pauses, incidents, silences } = extras;
  const { workers } = status;
  const store = [status.storeType, status.storeLocation].filter((text) => text !== "").join(" ");
  const bad = (text: string) => printer.paint(makeVisible(text), "bad");
  const [missing, silent] = [missingText(workers), silentText(workers)];
  return fieldLines([
    // Urgent facts come first.
    ["Node", makeVisible(status.node)],
    ["Draining", status.isDraining ? printer.paint("yes", "warn") : undefined],
    ["Store problem", status.storeProblem && bad(status.storeProblem)],
    [
      "Configuration",
      status.reloadProblem && bad(`the last reload had problems: ${status.reloadProblem}`),
    ],
    ["Upgrade", status.upgradeProblem && bad(`the last one failed: ${status.upgradeProblem}`)],
    ...status.listenerProblems.map((problem) => ["Listener", bad(problem)] as const),
    ...status.disabled.map(({ kind, reason }) => ["Disabled", bad(`${kind}: ${reason}`)] as const),
    ["Attempts", missing && bad(missing)],
    ["Supervisors", silent && bad(silent)],
    ["Incidents", incidentsText(incidents)],
    ...incidents.slice(0, INCIDENTS_SHOWN).map((incident) =>
      ["Incident", incidentText(incident, printer)] as const
    ),
    ...pauses.map((pause) =>
      ["Paused", printer.paint(pauseText(pause, printer.nowMs), "warn")] as const
    ),
    ...silences.slice(0, SILENCES_SHOWN).map((silence) =>
      ["Silenced", printer.paint(silenceText(silence, printer.nowMs), "warn")] as const
    ),
    ["Silenced", moreText(silences.length - SILENCES_SHOWN)],
    ...status.blocks.map((block) => ["Blocked by", blockText(block, printer)] as const),
    [
      "Workers",
      workers?.count === 0
        ? printer.paint(`0: nothing starts, ${workers.busy} still running`, "warn")
        : workers &&
          `${workers.busy} of ${workers.count} busy, ${
            countText(workers.alive, "process", "processes")
          }`,
    ],
    ["Nodes", status.nodes > 1 ? `${status.nodes} live` : undefined],
    ["Schedules", String(status.schedules)],
    ["Next schedule", nextText(status, printer.nowMs)],
    ["Store", makeVisible(store)],
    ["Daemon", makeVisible(daemon)],
    ["Version", makeVisible(status.version)],
    ["Started", timeText(status.startedAt, printer.nowMs)],
  ], printer.columns);
}

/** Lines with what runs now. */
function runningLines({ running }: Extras, printer: Printer): string[] {
  const shown = running.slice(0, RUNNING_SHOWN);
  return shown.length === 0 ? [] : printer.tableLines(RUNNING_COLUMNS, shown, ({ uuid }) => uuid);
}

/** Lines with the instances of each kind. */
function countLines(status: GetStatusResponse, printer: Printer): string[] {
  // Notices matter only if they cannot be delivered.
  const kinds = kindsOf(status).filter(({ kind, terminated, timedOut }) =>
    !kind.startsWith(NOTICE_KINDS) || terminated > 0n || timedOut > 0n
  );
  if (kinds.length === 0) return [];
  const few = printer.columns === null ? kinds : mostActive(kinds);
  const left = kinds.length - few.length;
  return [
    ...printer.tableLines(COUNT_COLUMNS, few),
    ...(left > 0 ? [`${countText(left, "more kind")}: jobctl status -o wide`] : []),
  ];
}

/** The kinds that fit on a screen, by name: preferably kinds that run, wait or failed. */
function mostActive(kinds: readonly KindCounts[]): readonly KindCounts[] {
  if (kinds.length <= KINDS_SHOWN) return kinds;
  const isActive = ({ scheduled, processing, terminated, timedOut }: KindCounts) =>
    scheduled + processing + terminated + timedOut > 0n;
  const active = kinds.filter(isActive).slice(0, KINDS_SHOWN);
  const others = kinds.filter((kind) => !isActive(kind)).slice(0, KINDS_SHOWN - active.length);
  const shown = new Set([...active, ...others]);
  return kinds.filter((kind) => shown.has(kind));
}

/** The span of `--since` and `--until`; null for none. @throws JobError `invalid_argument` */
function readSpan(args: Args, nowMs: number) {
  const sinceMs = args.timeMs("since", "past");
  const untilMs = untilAfter("until", sinceMs, args);
  if (sinceMs !== undefined && sinceMs >= (untilMs ?? nowMs)) {
    const end = untilMs === undefined ? "now" : `--until, ${formatAbsolute(untilMs)}`;
    throw usageError(
      `Cannot count since ${formatAbsolute(sinceMs)}: it is not before ${end}`,
      "Give --since a time in the past, such as 24h or yesterday",
    );
  }
  if (sinceMs !== undefined) return { sinceMs, untilMs };
  if (untilMs === undefined) return null;
  throw usageError("Cannot count until a time without --since", "Add --since, such as 24h");
}

async function countsOf(client: JobClient, span: NonNullable<ReturnType<typeof readSpan>>) {
  const { countSpan, spanLines, spanRecord } = await import("../../views/span_counts.ts");
  const counts = await countSpan(client, span);
  return {
    record: spanRecord(counts),
    lines: (printer: Printer) => spanLines(counts, printer),
  };
}

/** `jobctl status` */
export const STATUS: Verb = {
  name: "status",
  summary: "Show the state of the daemon: store, workers, schedules, pauses, open incidents, " +
    "silences, instances by state",
  examples: [
    ["jobctl status", "Is it running, and what is it doing"],
    ["jobctl status --watch", "The same, redrawn at each change"],
    ["jobctl status --since 24h", "How many runs of each job succeeded or failed in the last day"],
  ],
  watches: "everything",
  options: {
    since: {
      value: "TIME",
      describe: "Count the instances that ended at this time or later: 24h, yesterday, 09:00",
    },
    until: { value: "TIME", describe: "With --since, only those that ended before this time" },
    ...FIELDS_OPTION,
  },
  async run(args, { client, daemonText, printer }) {
    const span = readSpan(args, printer.nowMs);
    const connection = await client();
    const [status, extras, counts] = await Promise.all([
      connection.getStatus({}),
      readExtras(connection),
      span === null ? null : countsOf(connection, span),
    ]);
    const fields = fieldsOf(status, extras, { printer, daemon: await daemonText() });
    const below = counts === null ? countLines(status, printer) : counts.lines(printer);
    const parts = [fields, runningLines(extras, printer), below].filter(({ length }) => length > 0);
    const lines = parts.flatMap((part, index) => index === 0 ? part : ["", ...part]);
    await printer.details(
      (of) => ({
        ...of(status),
        kinds: kindsOf(status).map(of),
        pauses: extras.pauses.map(of),
        incidents: extras.incidents.map(of),
        silences: extras.silences.map(of),
        running: extras.running.map(of),
        span: counts?.record,
      }),
      status.node,
      lines,
    );
  },
};
