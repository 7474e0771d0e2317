import { isJobError } from "../../../core/errors.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { splitZone } from "../../../core/time/zone.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance, Schedule, ScheduleJobResponse } from "../../../rpc/gen/job_pb.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { withInterrupt } from "../../verb/follow.ts";
import { collect, listSchedules, present } from "../../lookup/lookup.ts";
import { type Args, assertOneOf, usageError } from "../../parsing/args.ts";
import { writeMessage } from "../../parsing/written_file.ts";
import { callTimeoutMs } from "../../parsing/connection.ts";
import { zoneOfJob } from "../../lookup/job_time.ts";
import { type OptionSpecs, under } from "../../parsing/options.ts";
import { CRON_ONLY, INSTANCE_ONLY, NEW_OPTIONS, readRunOptions } from "../../lookup/run_options.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import { SCHEDULE_VIEW } from "../../views/schedule_view.ts";
import { isFinalState, msOf, type RequestOf, type Timestamp } from "../../io/wire.ts";
import { noCommand } from "./argument_hints.ts";
import {
  ARGUMENT_OPTIONS,
  FROM_OPTIONS,
  JOB_WORDS,
  readArguments,
  requestArguments,
} from "./schedule_arguments.ts";
import { existingText, isExisting, printPreview, printRun, showRun } from "./show_run.ts";

type Request = RequestOf<"scheduleJob">;

/** A time this recent, such as "now", is not worth a message. */
const PAST_MS = 1_000;
/** Number of other schedules of the job shown beside a new one. */
const OTHERS_MAX = 5;
/** Longest wait of one call: the server's limit. */
const WAIT_CALL_MS_MAX = 60_000;

const OPTIONS: OptionSpecs = {
  ...NEW_OPTIONS,
  ...under("Arguments", {
    ...ARGUMENT_OPTIONS,
    "dry-run": { describe: "Convert and check the arguments, but queue nothing", isFlag: true },
  }),
  ...under("The result", {
    wait: {
      describe: "Wait until it ends: exit code 0 if it completed, 3 if it did not",
      isFlag: true,
    },
    follow: {
      alias: "f",
      describe: "With --wait, show its log and progress on stderr",
      isFlag: true,
    },
    "wait-timeout": {
      value: "DURATION",
      describe: "With --wait, give up after this long: exit code 124",
    },
  }),
  ...under("Many at once", FROM_OPTIONS),
};

function assertCombination(args: Args): void {
  assertOneOf(args, ["at", "in", "cron"]);
  for (const name of [...INSTANCE_ONLY, "wait"]) {
    assertOneOf(args, ["cron", name]);
  }
  assertOneOf(args, ["dry-run", "wait"]);
  const needs: Readonly<Record<string, string>> = {
    ...Object.fromEntries(CRON_ONLY.map((name) => [name, "cron"])),
    "wait-timeout": "wait",
    follow: "wait",
    batch: "from",
  };
  for (const [name, needed] of Object.entries(needs)) {
    if (args.given([name]).length === 0 || args.given([needed]).length > 0) continue;
    throw usageError(
      `Cannot use --${name} without --${needed}`,
      `Add --${needed}, or leave it out`,
    );
  }
}

/** Read the whole command line before anything is sent. */
async function readRequest(args: Args, newId: () => string): Promise<Request> {
  assertCombination(args);
  const { priority, ...own } = await readRunOptions(args, NEW_OPTIONS);
  const isDryRun = args.flag("dry-run");
  return {
    kind: args.word("KIND"),
    ...own,
    // In go-job's field, −1 means the job's own priority.
    ...(priority === -1 ? { exactPriority: priority } : { priority }),
    // With an id from here, a request that is sent twice is accepted once.
    uuid: own.uuid ?? (own.cron === undefined && !isDryRun ? newId() : undefined),
    dryRun: isDryRun || undefined,
  };
}

/** The times of the command line, in the zone of the job or of the new schedule. */
async function readTimes(
  plain: Request,
  client: JobClient,
  { args, context }: { readonly args: Args; readonly context: VerbContext },
): Promise<Pick<Request, "at" | "recurrence">> {
  const { kind = "", cron, timezone } = plain;
  // The daemon refuses an empty one.
  const zoned = timezone ?? (splitZone(cron ?? "").zone || undefined);
  const zone = async () =>
    zoned === undefined
      ? await zoneOfJob(client, kind)
      : { timezone: zoned, whose: "the zone of the schedule" };
  const { at, recurrence } = await readRunOptions(args, NEW_OPTIONS, { args, context, zone });
  const atMs = msOf(at as Timestamp | undefined);
  if (atMs !== undefined) await writePast(atMs, args, context);
  return { at, recurrence };
}

/** Write to stderr that a time has passed. */
async function writePast(atMs: number, args: Args, { io }: VerbContext): Promise<void> {
  if (args.flag("quiet") || atMs > io.clock.now().wallMs - PAST_MS) return;
  const utc = `${new Date(atMs).toISOString().slice(0, 19)}Z`;
  await writeMessage(io, `${utc} has passed: it runs at once`);
}

async function send(client: JobClient, request: Request): Promise<ScheduleJobResponse> {
  try {
    return await client.scheduleJob(request);
  } catch (error) {
    // Only the response may have been lost. With an id, the request is accepted once.
    if (!isJobError(error, "unavailable") || request.uuid === undefined) throw error;
    return await client.scheduleJob(request);
  }
}

async function waitForEnd(
  client: JobClient,
  first: JobInstance,
  options: { readonly context: VerbContext; readonly args: Args },
): Promise<number> {
  const { io } = options.context;
  const timeoutMs = options.args.durationMs("wait-timeout") ?? Infinity;
  const answerMs = callTimeoutMs(options.args);
  const endMs = io.clock.now().monotonicMs + timeoutMs;
  let instance = first;
  while (!isFinalState(instance.state)) {
    const leftMs = endMs - io.clock.now().monotonicMs;
    if (leftMs <= 0) break;
    const waitMs = Math.max(1, Math.round(Math.min(WAIT_CALL_MS_MAX, leftMs)));
    const answer = await client.waitInstance({ uuid: instance.uuid, waitMs: BigInt(waitMs) }, {
      timeoutMs: waitMs + answerMs,
    });
    instance = present(answer.instance, `Cannot wait for instance "${instance.uuid}"`);
  }
  return await printRun(instance, options.context);
}

/** Follow the run until its end. After Ctrl-C it continues. */
async function followToEnd(
  client: JobClient,
  first: JobInstance,
  { context, args }: { readonly context: VerbContext; readonly args: Args },
): Promise<number> {
  const timeoutMs = args.durationMs("wait-timeout");
  let isInterrupted = false;
  const instance = await withInterrupt(context, async (interrupt) => {
    const limit = new AbortController();
    const timer = timeoutMs === undefined
      ? null
      : context.io.clock.timer(timeoutMs, () => limit.abort());
    const signal = AbortSignal.any([interrupt, limit.signal]);
    try {
      return await showRun(client, first, { ...context, signal });
    } finally {
      timer?.cancel();
      isInterrupted = interrupt.aborted;
    }
  });
  if (!isInterrupted) return await printRun(instance, context);
  await context.printer.note(`The instance continues: jobctl logs -f ${first.uuid}`);
  return EXIT.interrupted;
}

/** Print a new schedule, and the job's others, which stay as they are. */
async function printSchedule(
  made: Schedule,
  client: JobClient,
  { printer, io }: VerbContext,
): Promise<void> {
  await printer.made(SCHEDULE_VIEW, made);
  if (!printer.isHuman || !io.isTerminal) return;
  const all = await collect(listSchedules(client, [made.kind], OTHERS_MAX + 1));
  const others = all.filter(({ id }) => id !== made.id).slice(0, OTHERS_MAX)
    .map(({ id, cron }) => makeVisible(`${id} "${cron}"`));
  if (others.length > 0) {
    await printer.note(`${makeVisible(made.kind)} keeps its other schedules: ${others.join(", ")}`);
  }
}

/** `jobctl schedule KIND [ARGS…]` */
export const SCHEDULE: Verb = {
  name: "schedule",
  summary: "Run a job: now, at a time, after a delay, or on a schedule",
  details: [
    "Arguments are text. The daemon converts them to the types of the job's parameters. It",
    'refuses text that does not fit, before anything is queued: see "jobctl describe job KIND".',
    'Put arguments that begin with "-" after "--". Each parameter is also an option, such as',
    '--region eu, in kebab-case too. Repeat it for a list. Alone, it means true. "jobctl schedule',
    'KIND --help" shows the parameters of a job. With --from, every line of a file is an instance:',
    '{"kind": "report", "arguments": {"day": "2026-01-31"}, "at": "2026-02-01T06:00:00Z"}, with the',
    "fields of the HTTP API. All lines are checked before one is queued. The same file again",
    "queues no line twice. Lines without a kind are of KIND, which is then optional. With --quiet,",
    "only the id is printed: id=$(jobctl schedule -q report).",
  ].join(" "),
  words: JOB_WORDS.map((word) => word.name === "KIND" ? { ...word, isOptionalWith: "from" } : word),
  options: OPTIONS,
  examples: [
    ["jobctl schedule sum 1 2", "Now"],
    ["jobctl schedule report --day 2026-01-31 --region eu", "Arguments by name"],
    ["jobctl schedule report --at 'tomorrow 9:00'", "At a time"],
    [`jobctl schedule report --in 10m --args-json '{"region": "eu"}'`, "Later, arguments by name"],
    ["jobctl schedule report --cron '0 6 * * 1-5' --timezone Europe/Berlin", "On a schedule"],
    ["jobctl schedule report --wait --follow", "Watch the run, then print its result"],
    ["jobctl schedule --from runs.jsonl", "One instance for each line"],
    ["jobctl schedule sum --wait -- -1 2", "Wait for the result; an argument that begins with -"],
  ],
  takesNamed: true,
  async explain(args, context) {
    return await (await import("./schedule_help.ts")).explainJob(args, context);
  },
  async run(args, context) {
    if (args.given(["from"]).length > 0) {
      const { scheduleFrom } = await import("./schedule_from.ts");
      return await scheduleFrom(args, context, OPTIONS);
    }
    const plain = await readRequest(args, context.io.newId);
    const given = readArguments(args);
    args.durationMs("wait-timeout");
    const client = await context.client();
    const kind = args.word("KIND");
    const request = async () => ({
      ...plain,
      ...await readTimes(plain, client, { args, context }),
      ...await requestArguments(given, { kind, client, options: Object.keys(OPTIONS) }),
    });
    const answer = await request().then((whole) => send(client, whole)).catch((error) => {
      throw noCommand(error, kind, given);
    });
    if (plain.dryRun) return await printPreview(answer, context);
    if (answer.schedule) return await printSchedule(answer.schedule, client, context);
    const instance = present(answer.instance, `Cannot schedule job "${kind}"`);
    if (isExisting(instance, plain.uuid)) {
      await context.printer.note(existingText(instance, context.printer));
    }
    if (args.flag("follow")) return await followToEnd(client, instance, { context, args });
    if (args.flag("wait")) return await waitForEnd(client, instance, { context, args });
    await context.printer.made(INSTANCE_VIEW, instance);
  },
};
