import { isJobError } from "../../../core/errors.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type {
  Incident,
  Job,
  JobHook,
  JobInstance,
  JobNotices,
  LogEntry,
} from "../../../rpc/gen/job_pb.ts";
import { collect, findInstance, listSchedules, lookupHistory, present } from "../../lookup.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { formatAbsolute, timeText } from "../../output/when.ts";
import type { Printer } from "../../output/printer.ts";
import type { Verb, VerbGroup } from "../../verb.ts";
import { instanceLines, jobLines } from "../../views/details.ts";
import { stateStyle } from "../../views/instance_view.ts";
import { LOG_VIEW } from "../../views/record_views.ts";
import { signatureLines, signatureOf, summaryLines } from "../../views/signature_lines.ts";
import { channelsOf, incidentText } from "../../views/notice_views.ts";
import { msOf, stateName } from "../../wire.ts";

const SCHEDULES_SHOWN = 20;
const HISTORY_SHOWN = 200;
/** Lines of the log that are shown. */
const LINES_SHOWN = 20;

/** The open incident of a job; undefined if it has none. */
async function openIncident(client: JobClient, kind: string): Promise<Incident | undefined> {
  try {
    return (await client.listIncidents({ kind })).incidents[0];
  } catch (error) {
    // An older daemon has no incidents.
    if (!isJobError(error, "unimplemented")) throw error;
    return undefined;
  }
}

/** The channels that report a job; undefined if the caller may not know. */
async function channelsFor(client: JobClient, job: Job): Promise<readonly string[] | undefined> {
  try {
    return channelsOf(job, (await client.listChannels({})).channels);
  } catch (error) {
    if (isJobError(error, "unimplemented") || isJobError(error, "permission_denied")) {
      return undefined;
    }
    throw error;
  }
}

const JOB: Verb = {
  name: "job",
  summary: "Explain a job: its arguments, options and schedules",
  watches: "job",
  words: [{ name: "KIND", describe: "Kind of the job", offers: "kind" }],
  options: {
    "ping-url": {
      describe: "Show the secret path of the pings of an external job; requires admin",
      isFlag: true,
    },
  },
  examples: [
    ["jobctl describe job report", "How to call it, and when it runs"],
    ["jobctl describe job backup --ping-url -o name", "The path of its pings: /ping/KEY"],
  ],
  async run(args, { client, printer }) {
    const kind = args.word("KIND");
    const connection = await client();
    if (args.flag("ping-url")) return await showPings(kind, connection, printer);
    await describeJob(kind, connection, printer);
  },
};

/** Show a job with its schedules, the channels that report it, and its open incident. */
export async function describeJob(
  kind: string,
  connection: JobClient,
  printer: Printer,
): Promise<void> {
  const answer = await connection.getJob({ kind });
  const job = present(answer.job, `Cannot describe job "${kind}"`);
  const schedules = await collect(listSchedules(connection, [kind], SCHEDULES_SHOWN));
  const incident = await openIncident(connection, kind);
  const channels = await channelsFor(connection, job);
  const { notices, hook } = job;
  const lines = jobLines(job, printer, [
    ...hookRows(hook),
    ["Expected", makeVisible(notices?.expect.join(", ") ?? "")],
    ["Silence", makeVisible(notices?.silence.join("; ") ?? "")],
    ["Notifies", channels && notifiesText(channels, notices)],
    ["Incident", incident && incidentText(incident, printer)],
  ]);
  const signature = signatureOf(job);
  const summary = signature === null ? [] : summaryLines(signature);
  // The first line is the description already.
  if (summary.length > 1) lines.push("", ...summary);
  if (signature !== null) lines.push("", ...signatureLines(signature));
  if (schedules.length > 0) lines.push("", "Schedules:");
  for (const schedule of schedules) {
    const next = timeText(schedule.nextAt, printer.nowMs) ?? "never";
    const { cron, timezone } = schedule;
    lines.push(
      `  ${makeVisible(schedule.id)}  ${makeVisible(`"${cron}" ${timezone}`)}  next ${next}`,
    );
  }
  await printer.details(
    (of) => ({
      ...of(job),
      schedules: schedules.map(of),
      channels,
      incident: incident && of(incident),
    }),
    job.kind,
    lines,
  );
}

/** How others start a job by its hook. */
function hookRows(hook: JobHook | undefined): [name: string, value: string][] {
  if (hook === undefined) return [];
  const { path, url, verify, passes, only } = hook;
  return [
    ["Hook", `POST ${url ?? path} (${verify})`],
    ["Hook passes", makeVisible(passes.join(", "))],
    ["Hook only", makeVisible(only.join("; "))],
  ];
}

/** Which channels report a job, and why these. */
function notifiesText(channels: readonly string[], notices: JobNotices | undefined): string {
  if (notices?.hasNotify && notices.notify.length === 0) return "nobody (notify = [])";
  if (channels.length === 0) return "nobody: no channel matches";
  const why = notices?.hasNotify ? ` (notify = ${JSON.stringify(notices.notify)})` : "";
  return makeVisible(`${channels.join(", ")}${why}`);
}

async function showPings(kind: string, client: JobClient, printer: Printer): Promise<void> {
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

const INSTANCE: Verb = {
  name: "instance",
  summary: "Explain an instance: arguments, results or error, times, history, end of its log",
  watches: "instance",
  words: [{ name: "ID", describe: "Its id, or an unambiguous prefix of it", offers: "instance" }],
  examples: [
    ["jobctl describe instance 01938f2c-7d3e", "What became of a run"],
    ["jobctl describe instance 01938f2c-7d3e --watch", "The same while it runs, until it ends"],
  ],
  async run(args, { client, printer }) {
    const connection = await client();
    const instance = await findInstance(connection, args.word("ID"), "jobctl describe job");
    await describeInstance(instance, connection, printer);
  },
};

/** Show an instance with its history and the end of its log. */
export async function describeInstance(
  instance: JobInstance,
  client: JobClient,
  printer: Printer,
): Promise<void> {
  const { uuid } = instance;
  const history = await collect(lookupHistory(client, uuid, HISTORY_SHOWN));
  const log = await lastLines(client, uuid);
  const lines = instanceLines(instance, printer);
  if (history.length > 0) lines.push("", "History:");
  for (const entry of history) {
    const state = stateName(entry.state) ?? "-";
    const shown = printer.paint(state.padEnd(10), stateStyle(state));
    const reason = entry.reason === undefined ? "" : `  ${makeVisible(entry.reason)}`;
    lines.push(`  ${formatAbsolute(msOf(entry.at) ?? 0)}  ${shown}${reason}`.trimEnd());
  }
  if (log.length > 0) lines.push("", log.length < LINES_SHOWN ? "Log:" : "End of the log:");
  for (const entry of log) lines.push(`  ${LOG_VIEW.line!(entry, printer.paint)}`);
  lines.push("", `Its log: jobctl logs ${uuid}`);
  await printer.details(
    (of) => ({ ...of(instance), history: history.map(of), log: log.map(of) }),
    uuid,
    lines,
  );
}

/** The last lines of the log of an instance, the oldest first. */
async function lastLines(client: JobClient, uuid: string): Promise<readonly LogEntry[]> {
  const query = { uuid, pageSize: LINES_SHOWN };
  const { entries } = await client.lookupInstanceLogs({ query, newestFirst: true });
  // An older daemon begins with the first line. There may be too many of them to look for the end.
  const isNewestFirst = entries.length < 2 || entries[0]!.seq > entries[1]!.seq;
  return isNewestFirst ? entries.toReversed() : [];
}

/** `jobctl describe …` */
export const DESCRIBE: VerbGroup = {
  name: "describe",
  summary: "Show everything about a job or an instance",
  verbs: [JOB, INSTANCE],
};
