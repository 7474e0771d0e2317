import { orElseIf } from "../../../core/or_else.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import { confirm } from "../../lookup/confirm.ts";
import { present } from "../../lookup/lookup.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import { jobTimeMs, zoneOfJob } from "../../lookup/job_time.ts";
import type { WordSpec } from "../../parsing/options.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { PAUSE_VIEW } from "../../views/tick_view.ts";
import { timestampOf } from "../../io/wire.ts";
import { ACCEPT_SIGNAL } from "../../../core/wait.ts";
import { isUuid } from "../../../core/instance.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import { findNamed, isLast, resolveId } from "../../lookup/find_instance.ts";
import { INSTANCE_VIEW } from "../../views/instance_view.ts";

/** Matches text that could be a part of an id. */
const PART = /^[0-9a-f-]{4,36}$/i;

/** True if a word can only mean an instance. */
function isInstanceWord(word: string): boolean {
  return isLast(word) || isUuid(word.toLowerCase());
}

/** Freeze the instance that the command line names. */
async function freezeInstance(args: Args, { client, printer }: VerbContext): Promise<void> {
  const [word] = args.words("KIND");
  if (word === undefined) {
    throw usageError(
      "Cannot freeze: no instance is given",
      "Write jobctl pause ID --freeze, or last:KIND in place of the id",
    );
  }
  if (args.given(["until"]).length > 0) {
    throw usageError(
      `Cannot freeze "${makeVisible(word)}" with --until: a command stays frozen until resumed`,
      `Write jobctl pause ${makeVisible(shellWord(word))} --freeze, and later jobctl resume`,
    );
  }
  const connection = await client();
  const uuid = await resolveId(connection, word, "jobctl pause last:KIND --freeze");
  const reason = args.text("reason");
  const { instance, changed } = await connection.freezeInstance({ uuid, reason });
  await printer.one(INSTANCE_VIEW, present(instance, `Cannot freeze instance "${uuid}"`));
  if (!changed) await printer.note("It was frozen already");
}

/** Let a frozen instance continue. @returns false if the word names none, but perhaps a kind */
async function thawNamed(
  word: string,
  connection: JobClient,
  { printer }: VerbContext,
): Promise<boolean> {
  if (!isInstanceWord(word) && !await isPartOfId(word, connection)) return false;
  const uuid = await resolveId(connection, word, "jobctl resume KIND");
  const { instance, changed } = await connection.freezeInstance({ uuid, thaw: true });
  await printer.one(INSTANCE_VIEW, present(instance, `Cannot resume instance "${uuid}"`));
  if (!changed) await printer.note("It was not frozen");
  return true;
}

/** Let an instance continue on its changed code. */
async function acceptCode(args: Args, { client, printer }: VerbContext): Promise<void> {
  const [word] = args.words("KIND");
  if (word === undefined) {
    throw usageError(
      "Cannot accept changed code: no instance is given",
      "Write jobctl resume ID --accept, or last:KIND in place of the id",
    );
  }
  const connection = await client();
  const uuid = await resolveId(connection, word, "jobctl resume last:KIND --accept");
  const { instance } = await connection.signalInstance({ uuid, name: ACCEPT_SIGNAL });
  await printer.one(INSTANCE_VIEW, present(instance, `Cannot resume instance "${uuid}"`));
}

async function isPartOfId(word: string, connection: JobClient): Promise<boolean> {
  if (!PART.test(word)) return false;
  // A pause outlives its job.
  const named = await orElseIf(findNamed(connection, word), ["not_found"], null);
  return named?.type === "instance";
}

const KIND: WordSpec = {
  name: "KIND",
  describe: "Kind of the job; without it, all jobs. With --freeze, the id of an instance",
  offers: "kind",
  isOptional: true,
};

/** The kind of the line; undefined for all jobs. @throws JobError `invalid_argument` */
function readKind(args: Args): string | undefined {
  const [kind] = args.words("KIND");
  if (kind === undefined || !args.flag("all")) return kind;
  throw usageError(
    `Cannot use --all with "${makeVisible(kind)}": they exclude each other`,
    "Leave one of them out",
  );
}

/** `jobctl pause [KIND]` and `jobctl pause ID --freeze` */
export const PAUSE: Verb = {
  name: "pause",
  summary: "Pause one job, or all of them",
  details: [
    "The ticks of a paused job's schedules are skipped, and recorded as skipped. Instances",
    'created with "jobctl schedule" wait. Running attempts continue. A pause survives restarts.',
    "It lasts until the time of --until, or until jobctl resume. Without a kind it asks first on",
    "a terminal; elsewhere it needs --all. With --freeze and the id of an instance, its running",
    "command is frozen, with all of its processes, until jobctl resume ID. Its timeout does not",
    "count meanwhile. A cancel thaws it first. That needs Linux with cgroup v2.",
  ].join(" "),
  words: [KIND],
  options: {
    all: { describe: "All jobs, without a question", isFlag: true },
    until: {
      value: "TIME",
      describe: 'Resume by itself at this time, in the job\'s zone: "monday 9:00", "+2h"',
    },
    reason: { value: "TEXT", describe: "The reason, which jobctl list pauses shows" },
    freeze: { describe: "Freeze the running command of the instance ID", isFlag: true },
  },
  examples: [
    ["jobctl pause backup --until +2h --reason 'disk is being replaced'", "One job, for a while"],
    ["jobctl pause --all", "Everything, until jobctl resume"],
    ["jobctl pause last:backup --freeze", "A running command, until jobctl resume last:backup"],
  ],
  async run(args, context) {
    if (args.flag("freeze")) return await freezeInstance(args, context);
    const { client, io, printer } = context;
    args.timeMs("until", "future");
    const kind = readKind(args);
    if (kind !== undefined && isInstanceWord(kind)) {
      throw usageError(
        `Cannot pause "${kind}": it is an instance, and pauses are of jobs`,
        `Add --freeze to freeze its running command, or write jobctl cancel ${shellWord(kind)}`,
      );
    }
    // In a script, a variable without quotes may be empty.
    if (kind === undefined) await confirm(io, "pause all jobs", args.flag("all"), "--all");
    const connection = await client();
    const zone = async () => kind === undefined ? null : await zoneOfJob(connection, kind);
    const untilMs = await jobTimeMs("until", { args, context, direction: "future", zone });
    const { pause } = await connection.pause({
      kind,
      until: timestampOf(untilMs),
      reason: args.text("reason"),
    });
    await printer.one(PAUSE_VIEW, present(pause, "Cannot pause"));
  },
};

/** `jobctl resume [KIND]` and `jobctl resume ID` */
export const RESUME: Verb = {
  name: "resume",
  summary: "End a pause",
  details: [
    "A job can be paused by its kind and also by a pause of all jobs. It runs again once both",
    "have ended. With the id of an instance, its frozen command continues. With --accept, an",
    'instance of a job with on_change = "park" continues on its changed code.',
  ].join(" "),
  words: [{
    ...KIND,
    describe: "Kind of the job (default: all jobs), or the id of a frozen or parked instance",
  }],
  options: {
    all: { describe: "End the pause of all jobs, as without a kind", isFlag: true },
    accept: { describe: "Let the instance ID continue on its changed code", isFlag: true },
  },
  examples: [
    ["jobctl resume backup", "One job"],
    ["jobctl resume", 'What "jobctl pause" without a kind paused'],
    ["jobctl resume last:order --accept", "A parked order, on its changed code"],
  ],
  async run(args, context) {
    if (args.flag("accept")) return await acceptCode(args, context);
    const { client, printer } = context;
    const kind = readKind(args);
    const connection = await client();
    if (kind !== undefined && await thawNamed(kind, connection, context)) return;
    const { wasPaused } = await connection.resume({ kind });
    await printer.value(
      { kind: kind ?? null, was_paused: wasPaused },
      wasPaused
        ? kind === undefined ? "Ended the pause of all jobs" : `Resumed ${kind}`
        : kind === undefined
        ? "There was no pause of all jobs"
        : `${kind} was not paused`,
    );
    const { pauses } = await connection.listPauses({});
    const others = pauses.filter((pause) => pause.kind === undefined || kind === undefined);
    if (others.length > 0) {
      await printer.note(
        `Still paused: ${others.map((pause) => pause.kind ?? "everything").join(", ")}`,
      );
    }
  },
};
