import { orElseIf } from "../../core/or_else.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type {
  GetJobStatsResponse,
  Incident,
  JobHook,
  JobInstance,
  JobNotices,
  LogEntry,
} from "../../rpc/gen/job_pb.ts";
import {
  collect,
  listSchedules,
  lookupHistory,
  lookupInstances,
  present,
  readChannels,
} from "./lookup.ts";
import { countText } from "../../core/text/count_text.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { roughDuration, runText } from "../../core/time/duration.ts";
import { timeText } from "../output/when.ts";
import type { Printer } from "../output/printer.ts";
import { wrap } from "../output/wrap.ts";
import type { View } from "../output/view.ts";
import { attemptLines } from "../views/attempt_view.ts";
import { fieldLines, instanceLines, jobLines } from "../views/details.ts";
import { INSTANCE_VIEW } from "../views/instance_view.ts";
import { SCHEDULE_VIEW } from "../views/schedule_view.ts";
import { LOG_VIEW } from "../views/record_views.ts";
import { signatureLines, signatureOf, summaryLines } from "../views/signature_lines.ts";
import { channelsOf, incidentText } from "../views/notice_views.ts";
import { isFinalState, msOf, stateOfName } from "../io/wire.ts";

const SCHEDULES_SHOWN = 20;
/** Runs of a job that are shown. */
const RUNS_SHOWN = 5;
const HISTORY_SHOWN = 1_000;
/** Most runs named as holders of a limit. */
const HOLDERS_SHOWN = 3;
const LINES_SHOWN = 20;

/** The open incident of a job; undefined without one. */
async function openIncident(client: JobClient, kind: string): Promise<Incident | undefined> {
  const found = await orElseIf(client.listIncidents({ kind }), ["unimplemented"], undefined);
  return found?.incidents[0];
}

/** Show a job with its schedules, the channels that report it, and its open incident. */
export async function describeJob(
  kind: string,
  connection: JobClient,
  printer: Printer,
): Promise<void> {
  const answer = await connection.getJob({ kind });
  const job = present(answer.job, `Cannot describe job "${kind}"`);
  const schedules = printer.wants("schedules")
    ? await collect(listSchedules(connection, [kind], SCHEDULES_SHOWN))
    : [];
  const incident = printer.wants("incident") ? await openIncident(connection, kind) : undefined;
  const channels = printer.wants("channels") ? await readChannels(connection) : undefined;
  const isForPeople = printer.isHuman && printer.wants("stats");
  const stats = isForPeople ? await statsOf(connection, kind) : undefined;
  const reporting = channels && channelsOf(job, channels);
  const { notices, hook } = job;
  const lines = jobLines(job, printer, [
    ["Incident", incident && incidentText(incident, printer)],
    ...(stats === undefined ? [] : statsRows(stats, printer)),
    ["Expected", makeVisible(notices?.expect.join(", ") ?? "")],
    ["Silence", makeVisible(notices?.silence.join("; ") ?? "")],
    ["Notifies", reporting && notifiesText(reporting, notices)],
    ...hookRows(hook),
  ]);
  const signature = signatureOf(job);
  const summary = signature === null ? [] : summaryLines(signature);
  // The first line is mostly the description already.
  const rest = summary[0] === makeVisible(job.description) ? summary.slice(1) : summary;
  if (rest.length > 0) {
    const room = printer.columns ?? Infinity;
    lines.push(...(rest[0] === "" ? [] : [""]), ...rest.flatMap((line) => wrap(line, room)));
  }
  if (signature !== null) lines.push("", ...signatureLines(signature, printer.columns));
  const { last = [] } = stats ?? {};
  lines.push(
    ...tableOf("Schedules", SCHEDULE_VIEW, { items: schedules, printer }),
    ...tableOf("Last runs", INSTANCE_VIEW, { items: last.slice(0, RUNS_SHOWN), printer }),
  );
  await printer.details(
    (of) => ({
      ...of(job),
      schedules: schedules.map(of),
      channels: reporting,
      incident: incident && of(incident),
    }),
    job.kind,
    lines,
  );
}

/** A list below its title, without the kind, which they share; nothing for an empty list. */
function tableOf<T>(
  title: string,
  { columns, name }: Pick<View<T>, "columns" | "name">,
  { items, printer }: { readonly items: readonly T[]; readonly printer: Printer },
): string[] {
  const others = columns.filter((column) => !column.isWide && column.title !== "KIND");
  return items.length === 0 ? [] : ["", `${title}:`, ...printer.tableLines(others, items, name)];
}

/** The numbers of the last week; undefined if the daemon is too old for them. */
function statsOf(client: JobClient, kind: string): Promise<GetJobStatsResponse | undefined> {
  return orElseIf(client.getJobStats({ kind, buckets: 1 }), ["unimplemented"], undefined);
}

/** Number and duration of a job's successes. */
function statsRows(stats: GetJobStatsResponse, printer: Printer): [name: string, value: string][] {
  const { totals, successRate, isEstimate, usualP50Ms, usualP99Ms } = stats;
  const ended = Number(
    (totals?.completed ?? 0n) + (totals?.failed ?? 0n) + (totals?.timedOut ?? 0n),
  );
  const rate = `${Math.floor((successRate ?? 0) * 1_000) / 10} %`;
  const runs = `${isEstimate ? "about " : ""}${countText(ended, "run")}`;
  const usual = usualP50Ms === undefined || usualP99Ms === undefined
    ? ""
    : `${runText(usualP50Ms)}, rarely over ${runText(usualP99Ms)}`;
  return [
    ["Successful", successRate === undefined ? "" : `${rate} of ${runs} in the last 7 days`],
    ["Usually takes", usual],
    ["Last success", timeText(stats.lastSuccessAt, printer.nowMs) ?? ""],
    ["Last failure", timeText(stats.lastFailureAt, printer.nowMs) ?? ""],
  ];
}

/** Start of a job by its hook. */
function hookRows(hook: JobHook | undefined): [name: string, value: string][] {
  if (hook === undefined) return [];
  const { path, url, verify, passes, only } = hook;
  return [
    ["Hook", `POST ${url ?? path} (${verify})`],
    ["Hook passes", makeVisible(passes.join(", "))],
    ["Hook only", makeVisible(only.join("; "))],
  ];
}

/** Channels that report a job, and the reason. */
function notifiesText(channels: readonly string[], notices: JobNotices | undefined): string {
  if (notices?.hasNotify && notices.notify.length === 0) return "nobody (notify = [])";
  if (channels.length === 0) return "nobody: no channel matches";
  const why = notices?.hasNotify ? ` (notify = ${JSON.stringify(notices.notify)})` : "";
  return makeVisible(`${channels.join(", ")}${why}`);
}

/** Show the secret paths of the pings of a job. */
export async function showPings(kind: string, client: JobClient, printer: Printer): Promise<void> {
  const { key, sharedKey } = await client.getPingKey({ kind });
  const path = `/ping/${key}`;
  const sharedPath = `/ping/${sharedKey}/${encodeURIComponent(kind)}`;
  const lines = [
    `Path:         ${path}`,
    `Shared path:  ${sharedPath}`,
    "",
    "Prefix a path with the URL of the daemon's HTTP listener (server.http). Keep both paths secret.",
  ];
  await printer.details({ path, shared_path: sharedPath }, path, lines);
}

/** Show an instance with its history and the end of its log. */
export async function describeInstance(
  instance: JobInstance,
  client: JobClient,
  printer: Printer,
): Promise<void> {
  const { uuid } = instance;
  const history = printer.wants("history")
    ? await collect(lookupHistory(client, uuid, HISTORY_SHOWN))
    : [];
  const log = printer.wants("log") ? await lastLines(client, uuid) : [];
  const holders = printer.isHuman ? await holdersOf(instance, client) : [];
  const lines = instanceLines(instance, printer);
  const attempts = attemptLines(instance, { history, log }, printer);
  if (attempts.length > 0) lines.push("", ...attempts);
  if (log.length > 0) lines.push("", log.length < LINES_SHOWN ? "Log:" : "End of the log:");
  for (const entry of log) lines.push(`  ${LOG_VIEW.line!(entry, printer)}`);
  lines.push("", ...commandLines(instance, holders, printer));
  await printer.details(
    (of) => ({ ...of(instance), history: history.map(of), log: log.map(of) }),
    { view: INSTANCE_VIEW, item: instance },
    lines,
  );
}

/** Commands that show more about an instance, or its neighbours. */
function commandLines(
  instance: JobInstance,
  holders: readonly JobInstance[],
  printer: Printer,
): string[] {
  const { uuid, retryOf, redrivenAs, scheduleId, stepsAt, flowId } = instance;
  const isRepeatable = stepsAt !== undefined && isFinalState(instance.state);
  const { shortId, columns } = printer;
  return fieldLines([
    ["Whole log", `jobctl logs ${shortId(uuid)}`],
    ["Steps", stepsAt && `jobctl get steps ${shortId(uuid)}`],
    ["Again", isRepeatable ? `jobctl retry ${shortId(uuid)} --from STEP` : ""],
    ["Children", flowId && `jobctl describe flow ${shortId(uuid)}`],
    ["Held by", holdersText(instance, holders, printer)],
    ["Running", aheadCommand(instance)],
    ["Origin", scheduleId && `jobctl explain ${shortId(uuid)}`],
    ["Repeats", retryOf && `jobctl get instance ${shortId(retryOf)}`],
    ["Repeated by", redrivenAs && `jobctl get instance ${shortId(redrivenAs)}`],
  ], columns);
}

/** Some of the runs that hold the limit an instance waits for, the newest first. */
async function holdersOf(
  { kind, blockedBy }: JobInstance,
  client: JobClient,
): Promise<readonly JobInstance[]> {
  // The runs of a pool are of any kind, and runs of a key have the same arguments.
  if (blockedBy?.limit !== "concurrency" || blockedBy.name !== kind) return [];
  const states = [stateOfName("processing")!];
  return await collect(lookupInstances(client, { kind, states }, HOLDERS_SHOWN));
}

function holdersText(
  { blockedBy }: JobInstance,
  holders: readonly JobInstance[],
  { shortId, nowMs }: Printer,
): string | undefined {
  if (holders.length === 0) return undefined;
  const texts = holders.map(({ uuid, processedAt }) => {
    const since = msOf(processedAt);
    return shortId(uuid) +
      (since === undefined ? "" : ` (for ${roughDuration(nowMs - since)})`);
  });
  const others = Number(blockedBy?.used ?? 0) - holders.length;
  return texts.join(", ") + (others > 0 ? `, and ${others} more` : "");
}

/** The command that lists the runs that block an instance; undefined without any. */
function aheadCommand({ kind, blockedBy }: JobInstance): string | undefined {
  const limit = blockedBy?.limit;
  if (limit === "pool") return "jobctl list instances --state running";
  return limit === "concurrency"
    ? `jobctl list instances --kind ${shellWord(kind)} --state running`
    : undefined;
}

/** The last lines of the log of an instance, the oldest first. */
async function lastLines(client: JobClient, uuid: string): Promise<readonly LogEntry[]> {
  const query = { uuid, pageSize: LINES_SHOWN };
  const { entries } = await client.lookupInstanceLogs({ query, newestFirst: true });
  // An older daemon begins with the first line, and the end may be too far away.
  const isNewestFirst = entries.length < 2 || entries[0]!.seq > entries[1]!.seq;
  return isNewestFirst ? entries.toReversed() : [];
}
