import { lookupInstances } from "../../lookup/lookup.ts";
import { countText } from "../../../core/text/count_text.ts";
import { membersOf, type RecordView } from "../../output/view.ts";
import { formatAbsolute, isoText } from "../../output/when.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import { loadOptionsOf } from "../../parsing/config_file.ts";
import type { PastRun, SimulatedNotice } from "../../../tools/simulation/simulate_notices.ts";
import { settledAt } from "../../views/instance_view.ts";
import type { VerbContext } from "../../verb/verb.ts";
import { msOf, stateOfName, timestampOf } from "../../io/wire.ts";

const SPAN_DEFAULT_MS = 30 * 86_400_000;
const RUNS_MAX = 100_000;

const STATES = ["completed", "terminated", "timedOut"] as const;

const NOTICE_VIEW: RecordView<SimulatedNotice> = {
  name: ({ channel, at }) => `${channel}@${at}`,
  fields: {
    at: ({ at }) => isoText(at),
    ...membersOf<SimulatedNotice>("channel", "event", "kind", "count"),
    is_reminder: ({ isReminder }) => isReminder,
    collected_for: ({ collectedFor }) => collectedFor,
  },
  columns: [
    { title: "AT", cell: ({ at }) => formatAbsolute(at) },
    { title: "CHANNEL", cell: ({ channel }) => channel },
    {
      title: "EVENT",
      cell: ({ event, isReminder }) => isReminder ? `${event} (reminder)` : event,
    },
    { title: "JOB", least: 12, cell: ({ kind }) => kind },
    { title: "EVENTS", cell: ({ count }) => String(count) },
    { title: "COLLECTED FOR", cell: ({ collectedFor }) => collectedFor ?? "" },
  ],
};

/** List the notices that the runs of the past would have caused with a configuration. */
export async function listSimulatedNotices(
  file: string,
  args: Args,
  context: VerbContext,
): Promise<void> {
  const { io, printer } = context;
  const [other] = args.given(["against", "workers", "ticks", "duration", "assume", "offline"]);
  if (other !== undefined) {
    throw usageError(`Cannot use --${other} with --notices`, "It applies only to simulated runs");
  }
  const options = loadOptionsOf(io);
  const { nowMs } = options;
  const fromMs = args.timeMs("from", "past") ?? nowMs - SPAN_DEFAULT_MS;
  const toMs = args.timeMs("to", "past") ?? nowMs;
  const { loadProject } = await import("../../../tools/load_project.ts");
  const { simulateNotices } = await import("../../../tools/simulation/simulate_notices.ts");
  const { config, jobs } = await loadProject(file, options);
  const channels = config.notices;
  if (channels.length === 0) {
    throw usageError(
      `Cannot simulate notices: "${file}" has no channel`,
      "Add a table [notices.NAME]",
    );
  }
  const runs = await pastRuns(context, fromMs, toMs);
  const { timezone } = config;
  const notices = simulateNotices(runs, { channels, jobs, timezone, toMs });
  await printer.list(NOTICE_VIEW, notices);
  await printer.note(
    `${countText(notices.length, "notice")} from ${
      countText(runs.length, "run")
    } that ended since ${formatAbsolute(fromMs)}: ${sumsText(notices, channels)}`,
  );
}

/** Number of notices that each channel would have sent: `ops 12, night 3`. */
function sumsText(
  notices: readonly SimulatedNotice[],
  channels: readonly { readonly name: string }[],
): string {
  return channels.map(({ name }) => {
    return `${name} ${notices.filter(({ channel }) => channel === name).length}`;
  }).join(", ");
}

async function pastRuns(
  { client }: VerbContext,
  fromMs: number,
  toMs: number,
): Promise<readonly PastRun[]> {
  const connection = await client();
  const states = STATES.map((state) => stateOfName(state)!);
  const query = { states, after: timestampOf(fromMs), before: timestampOf(toMs) };
  const runs: PastRun[] = [];
  for await (const instance of lookupInstances(connection, query, RUNS_MAX)) {
    const { uuid: id, kind, reason = "", errorDetail } = instance;
    if (kind.startsWith("system.")) continue;
    const endedAt = msOf(settledAt(instance));
    if (endedAt === undefined) continue;
    const error = errorDetail
      ? { name: errorDetail.name, message: errorDetail.message }
      : instance.error === undefined
      ? null
      : { name: "Error", message: instance.error };
    runs.push({ id, kind, state: STATES[states.indexOf(instance.state)]!, reason, error, endedAt });
  }
  return runs;
}
