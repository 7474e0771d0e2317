import { isJobError, JobError } from "../../../core/errors.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance, Schedule } from "../../../rpc/gen/job_pb.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { isLast } from "../../lookup/find_instance.ts";
import { collect, findSchedule, listSchedules, present } from "../../lookup/lookup.ts";
import { type Args, assertOneOf, usageError } from "../../parsing/args.ts";
import type { OptionSpecs } from "../../parsing/options.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";
import { noCommand, withRetryHint } from "./argument_hints.ts";
import {
  ARGUMENT_OPTIONS,
  type GivenArguments,
  JOB_WORDS,
  readArguments,
  requestArguments,
} from "./schedule_arguments.ts";
import { existingText, isExisting } from "./show_run.ts";
import { watchRun } from "./watch_run.ts";

/** Schedules of a job that are compared, and that an error names. */
const SCHEDULES_MAX = 100;
const NAMED_MAX = 5;

const OPTIONS: OptionSpecs = {
  schedule: {
    value: "ID",
    describe: "Run what the job's schedule with this id runs",
    offers: "schedule",
  },
  ...ARGUMENT_OPTIONS,
  detach: { alias: "d", describe: "Print the id of the instance, and do not wait", isFlag: true },
  "wait-timeout": {
    value: "DURATION",
    describe: "Leave it running after this long: exit code 124",
  },
  "exit-code": {
    describe: "If the job's command fails, end with its exit code instead of 3",
    isFlag: true,
  },
};

function hasArguments({ words, named, json }: GivenArguments): boolean {
  return words.length > 0 || named.length > 0 || json !== undefined;
}

/** A requested schedule, or a job with the arguments of the command line. */
type Target =
  | { readonly type: "schedule"; readonly kind: string; readonly id: string | undefined }
  | { readonly type: "job"; readonly kind: string };

/**
 * The target of a word: with arguments the job. Without, its schedules' run, so that `jobctl run
 * backup` does the same as at night; a job without a schedule runs without arguments.
 *
 * @throws JobError `not_found`; `invalid_argument` if schedules with different arguments match
 */
async function findTarget(
  client: JobClient,
  word: string,
  { given, scheduleId }: { readonly given: GivenArguments; readonly scheduleId?: string },
): Promise<Target> {
  if (scheduleId !== undefined) return { type: "schedule", kind: word, id: scheduleId };
  try {
    await client.getJob({ kind: word });
  } catch (error) {
    if (!isJobError(error, "not_found")) throw error;
    const noJob = isLast(word) ? namesRun(word) : noCommand(error, word, given);
    const schedule = await scheduleNamed(client, word, noJob);
    if (!hasArguments(given)) return { type: "schedule", kind: schedule.kind, id: schedule.id };
    throw usageError(
      `Cannot give arguments to schedule "${makeVisible(word)}": it has its own`,
      `Run its job with them: jobctl run ${shellWord(schedule.kind)}`,
    );
  }
  if (hasArguments(given)) return { type: "job", kind: word };
  const schedules = await collect(listSchedules(client, [word], SCHEDULES_MAX));
  if (schedules.length === 0) return { type: "job", kind: word };
  assertAlike(word, schedules);
  return {
    type: "schedule",
    kind: word,
    id: schedules.length === 1 ? undefined : schedules[0]!.id,
  };
}

function namesRun(word: string): JobError {
  const shown = makeVisible(word);
  return new JobError("not_found", `Cannot run "${shown}": it names a run, not a job`, {
    hint: `To run it again: jobctl retry ${makeVisible(shellWord(word))}`,
  });
}

/** The schedule with an id. @throws `noJob` if it is missing */
async function scheduleNamed(
  client: JobClient,
  id: string,
  noJob: unknown,
): Promise<Schedule> {
  try {
    return await findSchedule(client, id);
  } catch (error) {
    throw isJobError(error, "not_found") ? noJob : error;
  }
}

/** @throws JobError `invalid_argument` if schedules of a job differ in their arguments */
function assertAlike(kind: string, schedules: readonly Schedule[]): void {
  const [first, ...others] = schedules.map((schedule) => JSON.stringify(schedule.arguments));
  if (others.every((text) => text === first)) return;
  const lines = schedules.slice(0, NAMED_MAX)
    .map(({ id, cron, arguments: all }) => makeVisible(`${id}  ${cron}  ${all.join(" ")}`));
  throw usageError(
    `Cannot run job "${makeVisible(kind)}" without arguments: its schedules have different ones`,
    ["Give arguments, or --schedule with one of these:", ...lines].join("\n"),
  );
}

/** The instance of a command line. */
interface Started {
  readonly instance: JobInstance;
  /** True if it existed before. */
  readonly isExisting: boolean;
}

async function start(
  client: JobClient,
  args: Args,
  newId: () => string,
): Promise<Started> {
  const word = args.word("KIND");
  const given = readArguments(args);
  const scheduleId = args.text("schedule");
  if (scheduleId !== undefined && hasArguments(given)) {
    throw usageError(
      "Cannot use --schedule with arguments: the schedule has its own",
      "Leave one of them out",
    );
  }
  const options = { given, ...(scheduleId === undefined ? {} : { scheduleId }) };
  const target = await findTarget(client, word, options);
  const action = `Cannot run "${makeVisible(word)}"`;
  if (target.type === "schedule") {
    const { kind, id } = target;
    const { instance } = await client.runSchedule({ kind, scheduleId: id });
    return { instance: present(instance, action), isExisting: false };
  }
  const { kind } = target;
  const named = await requestArguments(given, { kind, client, options: Object.keys(OPTIONS) });
  // With an id from here, a request that is sent twice is accepted once.
  const request = { kind, uuid: newId(), ...named };
  const answer = await client.scheduleJob(request).catch(async (error) => {
    throw await withRetryHint(error, { kind, given, client });
  });
  const instance = present(answer.instance, action);
  return { instance, isExisting: isExisting(instance, request.uuid) };
}

async function run(args: Args, context: VerbContext): Promise<number> {
  const { client, printer, io } = context;
  assertOneOf(args, ["detach", "wait-timeout"]);
  assertOneOf(args, ["detach", "exit-code"]);
  const timeoutMs = args.durationMs("wait-timeout");
  const connection = await client();
  const { instance, isExisting } = await start(connection, args, io.newId);
  if (!args.flag("detach")) {
    const passesExitCode = args.flag("exit-code");
    const options = { timeoutMs, isExisting, passesExitCode };
    return await watchRun(connection, instance, { ...context, ...options });
  }
  if (isExisting) await printer.note(existingText(instance, printer));
  if (printer.isHuman) await printer.text(`${instance.uuid}\n`);
  else await printer.one(INSTANCE_VIEW, instance);
  return EXIT.ok;
}

/** `jobctl run KIND [ARGS…]` */
export const RUN: Verb = {
  name: "run",
  summary: "Run a job now, and show its output until it ends",
  details: [
    "Without arguments, a job that has schedules runs what they run: with their arguments, priority",
    "and limits. If these differ, name one by --schedule. The id of a schedule in place of KIND does",
    "the same. The schedule itself does not change, so its next run comes as planned. Ctrl-C asks on",
    "a terminal whether to cancel the run; a second one leaves it running, and so does any signal",
    "elsewhere. Exit codes: 0 completed, 3 failed, 124 timed out, 130 interrupted. For a time, a",
    "priority or a unique key, use jobctl schedule.",
  ].join(" "),
  words: [
    { ...JOB_WORDS[0]!, describe: "Kind of the job, or the id of a schedule" },
    ...JOB_WORDS.slice(1),
  ],
  options: OPTIONS,
  examples: [
    ["jobctl run backup", "A backup now, in addition to the nightly one"],
    ["jobctl run report --day 2026-01-31", "With arguments by name"],
    ["jobctl run sum 1 2 -o json", "The whole instance on stdout at the end, its log on stderr"],
    ["jobctl run backup --detach", "Print the id, and return at once"],
    ["jobctl run backup --exit-code", "For a script that needs the exit code of the command"],
  ],
  takesNamed: true,
  async explain(args, context) {
    return await (await import("./schedule_help.ts")).explainJob(args, context);
  },
  run,
};
