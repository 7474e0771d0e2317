import { NOTICE_KINDS } from "../../../core/notices/notice.ts";
import type { JobError } from "../../../core/errors.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { formatDuration } from "../../../core/time/duration.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { GetStatusResponse } from "../../../rpc/gen/job_pb.ts";
import {
  collect,
  hasChannels,
  listIncidents,
  lookupInstances,
  NO_CHANNELS,
} from "../../lookup/lookup.ts";
import { type Args, INT32_MAX, usageError } from "../../parsing/args.ts";
import type { QueryInit } from "../../parsing/query.ts";
import type { Verb } from "../../verb/verb.ts";
import { msOf, stateOfName } from "../../io/wire.ts";

// Follows the development guidelines of the Monitoring Plugins: one line with status and
// performance data, https://www.monitoring-plugins.org/doc/guidelines.html

/** Statuses of a monitoring plugin; the index is the exit code. */
const STATUSES = ["OK", "WARNING", "CRITICAL", "UNKNOWN"] as const;
const [OK, WARNING, CRITICAL, UNKNOWN] = [0, 1, 2, 3] as const;
type Severity = typeof OK | typeof WARNING | typeof CRITICAL;

/** Newest completed instances that are searched for the last success: they may overlap. */
const COMPLETED_READ_MAX = 10;
/** Waiting instances among which the oldest is looked up, and most dead letters counted. */
const READ_MAX = 1_000;

/** A value over a limit is a problem; undefined means no limit. */
interface Limits {
  readonly warn: number | undefined;
  readonly crit: number | undefined;
}

interface Value {
  readonly label: string;
  readonly value: number;
  /** Seconds, or a count. */
  readonly unit: "s" | "";
  readonly limits?: Limits;
  readonly max?: number;
}

interface Problem {
  readonly severity: Severity;
  readonly text: string;
}

/** Results of a check, in display order. */
class Findings {
  readonly problems: Problem[] = [];
  readonly values: Value[] = [];
  readonly facts: string[] = [];

  problem(severity: Severity, text: string): void {
    this.problems.push({ severity, text });
  }

  /** Note a value, which is a problem if it is over a limit. */
  value(value: Value, text: string): void {
    this.values.push(value);
    const { warn = Infinity, crit = Infinity } = value.limits ?? {};
    const severity = value.value > crit ? CRITICAL : value.value > warn ? WARNING : OK;
    if (severity === OK) this.facts.push(text);
    else {
      const limit = severity === CRITICAL ? crit : warn;
      const shown = value.unit === "s" ? formatDuration(limit * 1_000) : String(limit);
      this.problem(severity, `${text} (limit ${shown})`);
    }
  }
}

function readLimits(
  name: string,
  read: (name: string) => number | undefined,
): Limits {
  const [warn, crit] = [read(`${name}-warn`), read(`${name}-crit`)];
  if (warn === undefined || crit === undefined || warn <= crit) return { warn, crit };
  throw usageError(
    `Cannot use --${name}-warn with a lower --${name}-crit: warnings come first`,
    `Give --${name}-crit the higher value`,
  );
}

function count(args: Args): (name: string) => number | undefined {
  return (name) => args.integer(name, { min: 0, max: INT32_MAX });
}

function seconds(args: Args): (name: string) => number | undefined {
  return (name) => {
    const ms = args.durationMs(name);
    return ms === undefined ? undefined : ms / 1_000;
  };
}

function counted(number: number, one: string): string {
  return `${number} ${one}${number === 1 ? "" : "s"}`;
}

/** A duration for people, without units that are too small to matter. */
function about(value: number): string {
  const unit = value >= 172_800 ? 3_600 : value >= 7_200 ? 60 : 1;
  return formatDuration(Math.round(value / unit) * unit * 1_000);
}

function readStatus(status: GetStatusResponse, findings: Findings): void {
  if (status.storeProblem) findings.problem(CRITICAL, `store: ${status.storeProblem}`);
  if (status.isDraining) findings.problem(WARNING, "the daemon is stopping");
  if (status.reloadProblem) {
    findings.problem(WARNING, `the last reload had problems: ${status.reloadProblem}`);
  }
  for (const problem of status.listenerProblems) findings.problem(WARNING, problem);
  const { busy = 0, count: max = 0 } = status.workers ?? {};
  if (max === 0) findings.problem(WARNING, "the node has 0 workers: it runs nothing");
  findings.value(
    { label: "workers_busy", value: busy, unit: "", max },
    `${busy} of ${counted(max, "worker")} busy`,
  );
}

async function readSuccess(
  client: JobClient,
  kind: string,
  findings: Findings,
  { maxAge, nowMs, pausedKinds }: {
    readonly maxAge: number | undefined;
    readonly nowMs: number;
    /** Undefined means all kinds. */
    readonly pausedKinds: ReadonlySet<string | undefined>;
  },
): Promise<void> {
  // An unknown job must not look like a job that has not run yet.
  await client.getJob({ kind });
  const query = { kind, state: stateOfName("completed")! };
  const found = await collect(lookupInstances(client, query, COMPLETED_READ_MAX));
  const lastMs = Math.max(...found.map(({ completedAt }) => msOf(completedAt) ?? -Infinity));
  const name = `job "${kind}"`;
  const isPaused = pausedKinds.has(undefined) || pausedKinds.has(kind);
  if (isPaused) findings.facts.push(`${name} is paused`);
  const limits = { warn: undefined, crit: isPaused ? undefined : maxAge };
  if (lastMs === -Infinity) {
    if (limits.crit !== undefined) findings.problem(CRITICAL, `${name} has no recorded success`);
    else findings.facts.push(`${name} has no recorded success`);
    return;
  }
  const value = Math.max(0, (nowMs - lastMs) / 1_000);
  const label = `age_${kind}`;
  findings.value({ label, value, unit: "s", limits }, `${name} succeeded ${about(value)} ago`);
}

async function readQueue(
  client: JobClient,
  { kinds, status, nowMs }: {
    readonly kinds: readonly string[];
    readonly status: GetStatusResponse;
    readonly nowMs: number;
  },
  limits: { readonly queue: Limits; readonly oldest: Limits; readonly dead: Limits },
  findings: Findings,
): Promise<void> {
  // A notice that waits for its receiver is an incident of its channel, not waiting work.
  const isAsked = (kind: string) =>
    kinds.length === 0 ? !kind.startsWith(NOTICE_KINDS) : kinds.includes(kind);
  const queued = status.kinds.reduce(
    (sum, counts) => sum + (isAsked(counts.kind) ? Number(counts.scheduled) : 0),
    0,
  );
  findings.value(
    { label: "queue", value: queued, unit: "", limits: limits.queue },
    `${counted(queued, "instance")} waiting`,
  );
  const ofKinds: QueryInit = { kinds: [...kinds] };
  const waiting = queued === 0 ? [] : await collect(
    lookupInstances(
      client,
      { ...ofKinds, state: stateOfName("scheduled")!, oldestFirst: true },
      READ_MAX,
      { isShown: ({ kind }) => isAsked(kind) },
    ),
  );
  const oldest = waiting.reduce(
    (longest, { dueAt }) => Math.max(longest, (nowMs - (msOf(dueAt) ?? nowMs)) / 1_000),
    0,
  );
  findings.value(
    { label: "oldest", value: oldest, unit: "s", limits: limits.oldest },
    `longest wait ${about(oldest)}`,
  );
  const dead = await collect(lookupInstances(client, { ...ofKinds, dead: true }, READ_MAX));
  findings.value(
    { label: "dead", value: dead.length, unit: "", limits: limits.dead },
    counted(dead.length, "dead letter"),
  );
}

async function readIncidents(
  client: JobClient,
  kinds: readonly string[],
  limits: Limits,
  findings: Findings,
): Promise<void> {
  const open = await collect(listIncidents(client, { withClosed: false }));
  const found = open.filter(({ type, name }) =>
    kinds.length === 0 || (type === "job" && kinds.includes(name))
  );
  findings.value(
    { label: "incidents", value: found.length, unit: "", limits },
    counted(found.length, "open incident"),
  );
  const isAsked = limits.warn !== undefined || limits.crit !== undefined;
  if (isAsked && open.length === 0 && !await hasChannels(client)) {
    findings.facts.push(`the daemon ${NO_CHANNELS}`);
  }
}

/** A text of the line: neither the separator of the performance data nor a line break. */
function plain(text: string): string {
  return makeVisible(text).replaceAll("|", "/");
}

function number(value: number): string {
  return String(Math.round(value * 1_000) / 1_000);
}

/** Performance data: `'label'=value[UOM];[warn];[crit];[min];[max]`. */
function performanceData({ label, value, unit, limits, max }: Value): string {
  const shown = plain(label).replaceAll("'", "''").replaceAll("=", "_");
  const parts = [limits?.warn, limits?.crit, 0, max].map((part) =>
    part === undefined ? "" : number(part)
  );
  return `'${shown}'=${number(value)}${unit};${parts.join(";")}`.replace(/;+$/, "");
}

function lineOf(severity: number, texts: readonly string[], values: readonly Value[]): string {
  const data = values.length === 0 ? "" : ` | ${values.map(performanceData).join(" ")}`;
  return `JOBCTL ${STATUSES[severity]}: ${texts.map(plain).join(", ")}${data}\n`;
}

/** `jobctl healthcheck` */
export const HEALTHCHECK: Verb = {
  name: "healthcheck",
  summary: "Check the daemon from a monitoring system: a plugin for Nagios and Icinga",
  details: [
    "Prints one line with a status and performance data. The exit code is that of a monitoring",
    "plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. CRITICAL also means that the daemon does not",
    "respond, and UNKNOWN that the check itself failed. A value is a problem if it is above its",
    "limit. With --job, only the queue, dead letters and incidents of these jobs count.",
  ].join(" "),
  options: {
    job: {
      value: "KIND",
      describe: "Check this job; for several, separate them by commas or repeat the option",
      offers: "kinds",
    },
    "max-age": {
      value: "DURATION",
      describe: "With --job: critical if the last success is older than this, or if there is none",
    },
    "queue-warn": {
      value: "N",
      describe: "Warn above this many waiting instances, including those that are due later",
    },
    "queue-crit": { value: "N", describe: "The same, but critical" },
    "oldest-warn": {
      value: "DURATION",
      describe: "Warn if a due instance has waited longer than this",
    },
    "oldest-crit": { value: "DURATION", describe: "The same, but critical" },
    "dead-warn": {
      value: "N",
      describe: "Warn above this many dead letters (at most 1000 are counted)",
    },
    "dead-crit": { value: "N", describe: "The same, but critical" },
    "incidents-warn": {
      value: "N",
      describe: "Warn above this many open incidents, including acknowledged ones",
    },
    "incidents-crit": { value: "N", describe: "The same, but critical" },
  },
  examples: [
    ["jobctl healthcheck", "Do the daemon and its store respond?"],
    ["jobctl healthcheck --job backup --max-age 25h", "Has a daily job succeeded?"],
    ["jobctl healthcheck --queue-warn 100 --oldest-crit 10m --dead-warn 0", "Is work piling up?"],
  ],

  async run(args, { client, printer }) {
    const kinds = args.list("job");
    const maxAge = seconds(args)("max-age");
    if (maxAge !== undefined && kinds.length === 0) {
      throw usageError("Cannot use --max-age without --job: it applies to a job", "Add --job KIND");
    }
    const limits = {
      queue: readLimits("queue", count(args)),
      oldest: readLimits("oldest", seconds(args)),
      dead: readLimits("dead", count(args)),
      incidents: readLimits("incidents", count(args)),
    };
    const connection = await client();
    const findings = new Findings();
    const status = await connection.getStatus({});
    const { nowMs } = printer;
    readStatus(status, findings);
    const { pauses } = kinds.length === 0 ? { pauses: [] } : await connection.listPauses({});
    const pausedKinds = new Set(pauses.map(({ kind }) => kind));
    for (const kind of new Set(kinds)) {
      await readSuccess(connection, kind, findings, { maxAge, nowMs, pausedKinds });
    }
    await readQueue(connection, { kinds, status, nowMs }, limits, findings);
    await readIncidents(connection, kinds, limits.incidents, findings);
    const worst = Math.max(OK, ...findings.problems.map(({ severity }) => severity));
    const problems = findings.problems.toSorted((a, b) => b.severity - a.severity)
      .map(({ text }) => text);
    const texts = worst === OK ? findings.facts : problems;
    await printer.text(lineOf(worst, texts, findings.values));
    return worst;
  },

  failed({ code, message }: JobError) {
    const isAway = code === "unavailable" || code === "timeout";
    const severity = isAway ? CRITICAL : UNKNOWN;
    return { line: lineOf(severity, [message], []), code: severity };
  },
};
