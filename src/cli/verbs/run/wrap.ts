import { refuseOnWindows } from "../../../platform/system/runtime.ts";
import { hostname } from "node:os";
import { isJobError, type JobError, toJobError } from "../../../core/errors.ts";
import { REPORT_BYTES_MAX } from "../../../core/job/external.ts";
import { countText } from "../../../core/text/count_text.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import { EXIT, EXIT_CODES } from "../../io/exit_codes.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";
import { deliver, isPassing } from "../../wrap/deliver.ts";
import { daemonReporter, OR_SOCKET, pingReporter, type Reporter } from "../../wrap/reporter.ts";
import { Spool, spoolFolder } from "../../wrap/spool.ts";
import { superviseCommand } from "../../wrap/supervise.ts";
import type { WrappedRun } from "../../wrap/wrapped_run.ts";

/** Longest wait for the daemon after the command's end: its caller waits, too. */
const REPORT_MS = 2_000;
/** A shorter command is reported once, with its start and end. */
const SHORT_MS = 300;
/** Longest time that a command's end spends on reports of earlier runs. */
const EARLIER_MS = 1_000;
const EARLIER_MAX = 100;
/** Longest wait for each report of `--flush`. */
const FLUSH_MS = 10_000;
/** Most addresses in the line about reports that are kept for others. */
const ADDRESSES_SHOWN = 5;

/** `jobctl wrap KIND -- COMMAND…` */
export const WRAP: Verb = {
  name: "wrap",
  summary: "Run a command, and report its run to the daemon",
  details: [
    "The command runs as it would without jobctl, with the same input, output, environment and signals.",
    "Its exit code is returned; if a signal ended it, 128 plus the number of the signal. Start, end,",
    "exit code and the last 100 kB of output are reported. KIND is a job with external = true in",
    "the daemon's configuration. If the daemon cannot be reached, the command still runs. The report",
    "is then kept in a file, and delivered with its true times after a later run, or by --flush.",
  ].join(" "),
  words: [
    {
      name: "KIND",
      describe: "Kind of the job",
      offers: "kind",
      isOptional: true,
      isBeforeDashes: true,
    },
    {
      name: "COMMAND",
      describe: 'After "--": the program and its arguments',
      offers: "command",
      isOptional: true,
      isRest: true,
      canBeEmpty: true,
    },
  ],
  options: {
    url: {
      value: "URL",
      describe: "Report by pings to this URL; jobctl describe job KIND --ping-url shows its path",
      env: "JOBCTL_PING_URL",
    },
    "no-capture": {
      describe: "Do not read or report the output of the command",
      isFlag: true,
    },
    flush: { describe: "Run nothing; deliver the reports that were kept", isFlag: true },
    all: {
      describe: "With --flush: also deliver reports that were kept for other addresses",
      isFlag: true,
    },
  },
  examples: [
    ["jobctl wrap backup -- /usr/local/bin/backup.sh --full", "In a crontab of another host"],
    [
      "jobctl wrap backup --url https://jobs.example.com/ping/KEY -- backup.sh",
      "To a daemon that can be reached only by HTTP",
    ],
    ["jobctl wrap --flush", "Deliver the reports that were kept"],
  ],
  needsNoConnection: true,
  async run(args, context) {
    const { io } = context;
    const kind = args.word("KIND");
    const argv = args.words("COMMAND");
    const spool = new Spool(spoolFolder(io.env));
    if (args.flag("flush")) return await flush(args, context, { kind, argv, spool });
    refuseOnWindows("Cannot run a command");
    if (args.flag("all")) throw usageError("Cannot use --all without --flush", "Add --flush");
    if (kind === "" || argv.length === 0) {
      const lacks = kind !== ""
        ? "the command is missing"
        : argv.length > 0
        ? 'KIND is missing before "--", so the command was not run'
        : "KIND is missing";
      throw usageError(`Cannot wrap: ${lacks}`, "Write: jobctl wrap KIND -- COMMAND");
    }
    const wrapper = new Wrapper(context, spool, await reporterOf(args, context));
    return await wrapper.run(kind, argv, args.flag("no-capture"));
  },
};

/** Target of the reports. A problem in the settings must not keep the command from running. */
async function reporterOf(
  args: Args,
  { client, daemon }: VerbContext,
): Promise<Reporter | JobError> {
  try {
    const url = args.text("url");
    if (url !== undefined) {
      if (!/^https?:\/\/./.test(url) || !URL.canParse(url)) {
        throw usageError("Cannot report to --url: it is not an HTTP URL", "Begin it with https://");
      }
      return pingReporter(url, args.text("daemon-user"));
    }
    const { settings } = await daemon();
    const { socket, host, port } = settings;
    const target = typeof socket === "string" ? socket : socket === null ? `${host}:${port}` : "";
    return daemonReporter(target || `${host}:${port}${OR_SOCKET}`, client);
  } catch (error) {
    return toJobError(error, "Cannot report");
  }
}

/** Runs one command and reports it. */
class Wrapper {
  readonly #context: VerbContext;
  readonly #spool: Spool;
  readonly #reporter: Reporter | null;
  #problem: JobError | null;
  #isKept = false;

  constructor(context: VerbContext, spool: Spool, reporter: Reporter | JobError) {
    this.#context = context;
    this.#spool = spool;
    this.#reporter = isJobError(reporter) ? null : reporter;
    this.#problem = isJobError(reporter) ? reporter : null;
  }

  async run(kind: string, argv: readonly string[], isUncaptured: boolean): Promise<number> {
    const { io } = this.#context;
    const command = superviseCommand(argv, {
      outputBytesMax: isUncaptured ? 0 : REPORT_BYTES_MAX,
    });
    const begun: WrappedRun = {
      kind,
      runId: io.newId(),
      host: hostname() || "unknown",
      target: this.#reporter?.target ?? "",
      startedAt: command.startedAt,
      end: null,
    };
    // A short command pays for one report only.
    const soon = Promise.withResolvers<boolean>();
    const timer = io.clock.timer(SHORT_MS, () => soon.resolve(false), { unref: true });
    void command.ended.then(() => soon.resolve(true));
    const isShort = await soon.promise;
    timer.cancel();
    const beginning = isShort ? null : this.#report(begun, false);
    const end = await command.ended;
    if (end.problem !== null) await this.#say(end.problem);
    const isBegun = await (beginning ?? false);
    const { startedAt: _, endedAt: at, ...rest } = end;
    const isReported = await this.#report({ ...begun, end: { at, ...rest } }, isBegun);
    if (isReported) await this.#deliverEarlier();
    if (this.#problem !== null) await this.#sayProblem(this.#problem, kind);
    await command.drained;
    return end.exitCode;
  }

  /** Send a report, or keep it for later. Returns true if it was taken. */
  async #report(run: WrappedRun, isBegun: boolean): Promise<boolean> {
    if (this.#reporter === null) return false;
    try {
      const nowMs = this.#context.io.clock.now().wallMs;
      await this.#reporter.send(run, { nowMs, timeoutMs: REPORT_MS, isBegun });
      // Its start may have been refused.
      this.#problem = null;
      this.#attempt(() => this.#spool.remove(run));
      return true;
    } catch (error) {
      const problem = toJobError(error, "Cannot report");
      // A refusal is worth a line; a daemon that is away is not.
      if (!isPassing(problem)) this.#problem = problem;
      this.#isKept = problem.code !== "invalid_argument" &&
        this.#attempt(() => this.#spool.keep(run));
      return false;
    }
  }

  async #sayProblem({ code, message }: JobError, kind: string): Promise<void> {
    const later = `Its report is kept in ${this.#spool.folder}, and delivered after a later run`;
    await this.#say(
      this.#isKept
        ? `The run is not recorded yet: ${message}. ${later} or by: jobctl wrap --flush`
        : `The run was not recorded: ${message}`,
    );
    if (code !== "unauthenticated" && code !== "permission_denied") return;
    const make = `jobctl token new NAME --role operator --jobs ${shellWord(kind)}`;
    await this.#say(`Make a token on the daemon's host with: ${make}`);
  }

  /** Deliver reports of earlier runs that take only a moment. */
  async #deliverEarlier(): Promise<void> {
    const { clock } = this.#context.io;
    const untilMs = clock.now().monotonicMs + EARLIER_MS;
    const earlier = { reporter: this.#reporter!, spool: this.#spool, clock };
    for await (
      const { problem } of deliver({ ...earlier, limit: EARLIER_MAX, timeoutMs: EARLIER_MS })
    ) {
      if (problem !== null && isPassing(problem)) return;
      if (clock.now().monotonicMs > untilMs) return;
    }
  }

  // An unwritable spool must not change the result of the command.
  #attempt(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      this.#problem ??= toJobError(error, "Cannot keep the report");
      return false;
    }
  }

  async #say(text: string): Promise<void> {
    await this.#context.io.stderr.write(`jobctl: ${makeVisible(text)}\n`).catch(() => {});
  }
}

async function flush(
  args: Args,
  context: VerbContext,
  { kind, argv, spool }: {
    readonly kind: string;
    readonly argv: readonly string[];
    readonly spool: Spool;
  },
): Promise<number> {
  if (kind !== "" || argv.length > 0) {
    throw usageError("Cannot use --flush with a command", "Leave the command out");
  }
  const reporter = await reporterOf(args, context);
  if (isJobError(reporter)) throw reporter;
  const { io, printer } = context;
  let delivered = 0;
  let first: JobError | null = null;
  const isAny = args.flag("all");
  const all = { reporter, spool, clock: io.clock, limit: Infinity, timeoutMs: FLUSH_MS, isAny };
  for await (const { problem } of deliver(all)) {
    if (problem === null) delivered += 1;
    else first ??= problem;
    if (problem !== null && isPassing(problem)) break;
  }
  await printer.note(`Delivered ${countText(delivered, "report")}`);
  const say = (text: string) => io.stderr.write(`jobctl: ${makeVisible(text)}\n`).catch(() => {});
  const others = isAny ? null : keptForOthers(reporter, spool, io.clock.now().wallMs);
  if (others !== null && !args.flag("quiet")) await say(others);
  if (first === null) return EXIT.ok;
  await say(first.message);
  return EXIT_CODES[first.code];
}

/** Note about reports that are kept for other addresses; null without any. */
function keptForOthers(reporter: Reporter, spool: Spool, nowMs: number): string | null {
  const counts = new Map<string, number>();
  for (const { target } of spool.runs(nowMs)) {
    if (reporter.takes(target)) continue;
    // The path of a ping URL is its secret.
    const shown = /^https?:/.test(target) && URL.canParse(target) ? new URL(target).origin : target;
    counts.set(shown, (counts.get(shown) ?? 0) + 1);
  }
  if (counts.size === 0) return null;
  const sum = [...counts.values()].reduce((left, right) => left + right);
  const list = [...counts].slice(0, ADDRESSES_SHOWN).map(([target, count]) =>
    `${target} (${count})`
  );
  if (counts.size > list.length) list.push("…");
  const kept = `${countText(sum, "report")} ${sum === 1 ? "is" : "are"} kept for other addresses`;
  return `${kept}: ${list.join(", ")}. To deliver them to this one: jobctl wrap --flush --all`;
}
