import { isJobError } from "../../../core/errors.ts";
import { isUuid } from "../../../core/instance.ts";
import { PRIORITY_MAX } from "../../../core/job/job.ts";
import { CONFLICTS } from "../../../core/job/job_manager.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { splitZone } from "../../../core/time/zone.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance, Schedule, ScheduleJobResponse } from "../../../rpc/gen/job_pb.ts";
import { EXIT } from "../../exit_codes.ts";
import { withInterrupt } from "../../follow.ts";
import { collect, listSchedules, present } from "../../lookup.ts";
import { type Args, assertOneOf, INT32_MAX, usageError } from "../../parsing/args.ts";
import { writeMessage } from "../../output/written_file.ts";
import { callTimeoutMs } from "../../parsing/connection.ts";
import { jobTimeMs, zoneOfJob } from "../../parsing/job_time.ts";
import { ATTEMPT_OPTIONS, type OptionSpecs, under } from "../../parsing/options.ts";
import { CRON_ONLY_OPTIONS, readRecurrence, RECURRENCE_NAMES } from "../../parsing/recurrence.ts";
import type { Verb, VerbContext } from "../../verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import { SCHEDULE_VIEW } from "../../views/schedule_view.ts";
import { bigMs, isFinalState, type RequestOf, timestampOf } from "../../wire.ts";
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
/** Other schedules of the same job that a new one is shown with. */
const OTHERS_MAX = 5;
/** Longest wait of one call: the server's limit. */
const WAIT_CALL_MS_MAX = 60_000;

const OPTIONS: OptionSpecs = {
  ...under("When it runs", {
    at: {
      value: "TIME",
      describe:
        'Run at this time, in the job\'s zone: "2026-11-24 09:00", "09:00", "tomorrow 9:00", "+10m"',
    },
    in: { value: "DURATION", describe: "Run after this delay: 90s, 10m, 2h, 7d" },
    cron: { value: "CRON", describe: 'Run on a schedule: "30 2 * * *", "@daily", "@every 15m"' },
  }),
  ...under("With --cron", CRON_ONLY_OPTIONS),
  ...under("How it runs", {
    jitter: {
      value: "DURATION",
      describe: "Start up to this much later, at random; with --cron always by the same amount",
    },
    priority: ATTEMPT_OPTIONS.priority!,
    timeout: ATTEMPT_OPTIONS.timeout!,
    deadline: {
      value: "DURATION",
      describe:
        "Time limit for all attempts together, waits included, from when it is due; 0 for none",
    },
    retries: ATTEMPT_OPTIONS.retries!,
  }),
  ...under("Only once", {
    "unique-key": {
      value: "KEY",
      describe: "If an unfinished instance of the job has this key, return it instead of another",
    },
    "unique-for": {
      value: "DURATION",
      describe: "Keep the key taken for this long, even once the instance has finished",
    },
    "on-conflict": {
      value: "RULE",
      describe:
        "If the key is taken: refuse other arguments, keep the existing instance, or replace it",
      choices: CONFLICTS,
    },
    uuid: {
      value: "ID",
      describe: "Id of the instance: a second command with the same id does not create another",
    },
  }),
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
  for (const name of ["unique-key", "unique-for", "on-conflict", "uuid", "deadline", "wait"]) {
    assertOneOf(args, ["cron", name]);
  }
  assertOneOf(args, ["dry-run", "wait"]);
  const needs: Readonly<Record<string, string>> = {
    ...Object.fromEntries(RECURRENCE_NAMES.map((name) => [name, "cron"])),
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

function readUuid(args: Args): string | undefined {
  const uuid = args.text("uuid");
  if (uuid === undefined) return undefined;
  const id = uuid.toLowerCase();
  if (isUuid(id)) return id;
  throw usageError(
    `Cannot read --uuid "${makeVisible(uuid)}": not a UUID`,
    "Write it as 01938f2c-7d3e-7000-8000-000000000000, or leave it out",
  );
}

/** Read the whole command line before anything is sent. */
async function readRequest(args: Args, newId: () => string): Promise<Request> {
  assertCombination(args);
  const atMs = args.timeMs("at", "future");
  const cron = args.text("cron");
  const isDryRun = args.flag("dry-run");
  // With an id from here, a request that is sent twice is accepted once.
  const uuid = readUuid(args) ?? (cron === undefined && !isDryRun ? newId() : undefined);
  return {
    kind: args.word("KIND"),
    ...readPriority(args),
    at: timestampOf(atMs),
    afterMs: bigMs(args.durationMs("in")),
    cron,
    ...await readRecurrence(args),
    timeoutMs: bigMs(args.durationMs("timeout")),
    deadlineMs: bigMs(args.durationMs("deadline")),
    maxRetries: args.integer("retries", { min: -1, max: INT32_MAX }),
    uniqueKey: args.text("unique-key"),
    uniqueForMs: bigMs(args.durationMs("unique-for")),
    onConflict: args.text("on-conflict"),
    uuid,
    jitterMs: bigMs(args.durationMs("jitter")),
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
  const input = { args, context, zone };
  const atMs = await jobTimeMs("at", { ...input, direction: "future" });
  if (atMs !== undefined) await writePast(atMs, args, context);
  return {
    at: timestampOf(atMs),
    recurrence: (await readRecurrence(args, input)).recurrence,
  };
}

/** Write to stderr that a time has passed. */
async function writePast(atMs: number, args: Args, { io }: VerbContext): Promise<void> {
  if (args.flag("quiet") || atMs > io.clock.now().wallMs - PAST_MS) return;
  const utc = `${new Date(atMs).toISOString().slice(0, 19)}Z`;
  await writeMessage(io, `${utc} has passed: it runs at once`);
}

// In go-job's field, −1 means the job's own priority.
function readPriority(args: Args): Pick<Request, "priority" | "exactPriority"> {
  const priority = args.integer("priority", { min: -PRIORITY_MAX, max: PRIORITY_MAX });
  return priority === -1 ? { exactPriority: priority } : { priority };
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

/** Follow the run until its end. After Ctrl-C it continues by itself. */
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

/** Print a new schedule, and say which others its job has: those stay as they are. */
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
