import { constants } from "node:os";
import { makeLinesVisible, makeVisible } from "../../../core/text/safe_text.ts";
import { shellWord } from "../../../core/text/shell_word.ts";
import { formatRelative } from "../../../core/time/duration.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type { JobInstance } from "../../../rpc/gen/job_pb.ts";
import { ask } from "../../lookup/confirm.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { present } from "../../lookup/lookup.ts";
import type { Printer } from "../../output/printer.ts";
import type { VerbContext } from "../../verb/verb.ts";
import { argumentsText, blockText } from "../../views/instance_view.ts";
import { waitsShown } from "../../views/step_view.ts";
import { isFinalState, msOf, stateName } from "../../io/wire.ts";
import { endText, existingText, printEnded, showRun } from "./show_run.ts";

/** After this long without a start, the reason is shown. */
const WAITING_MS = 2_000;
/** Number that a shell adds to the signal that ended a command. */
const SIGNAL_CODE = 128;
/** Longest text of the arguments of a run that begins, in characters. */
const ARGUMENTS_MAX = 200;

/** Why the watch of a run ended before the run. */
type Departure = "interrupted" | "late";

/**
 * Show the output of a run until it ends, then its outcome.
 *
 * @param context.timeoutMs time limit of watching; undefined for none
 * @param context.isExisting true if it was not made for this command line
 * @returns the exit code
 */
export async function watchRun(
  client: JobClient,
  first: JobInstance,
  context: VerbContext & {
    readonly timeoutMs: number | undefined;
    readonly isExisting: boolean;
    /** True to pass on the exit code of a failed command. */
    readonly passesExitCode: boolean;
  },
): Promise<number> {
  const { io, printer, timeoutMs, isExisting, passesExitCode } = context;
  const watch = new Watch(client, first, context);
  const stops = [
    io.onInterrupt?.(() => void watch.interrupt(), ["SIGINT"]),
    io.onInterrupt?.(() => watch.leave("interrupted"), ["SIGTERM", "SIGHUP"]),
  ];
  const timers = [io.clock.timer(WAITING_MS, () => void watch.showWaiting(), { unref: true })];
  if (timeoutMs !== undefined) timers.push(io.clock.timer(timeoutMs, () => watch.leave("late")));
  try {
    await printer.note(
      isExisting ? existingText(first, printer) : runningText(first, printer),
    );
    const instance = await watch.run();
    return await finish(instance, watch, { ...context, passesExitCode });
  } finally {
    for (const stop of stops) stop?.();
    for (const timer of timers) timer.cancel();
  }
}

/** Show the end of a run, or that it continues. Returns the exit code. */
async function finish(
  instance: JobInstance,
  { departure, isCanceling, isReading }: Watch,
  { io, printer, passesExitCode }: VerbContext & { readonly passesExitCode: boolean },
): Promise<number> {
  if (isReading) await io.stderr.write("\n").catch(() => {});
  let code = passesExitCode ? commandCodeOf(instance) : codeOf(instance);
  if (!isFinalState(instance.state)) {
    await printer.remark(`The run continues: jobctl logs -f ${printer.shortId(instance.uuid)}`);
    code = departure === "late" ? EXIT.timedOut : EXIT.interrupted;
  } else if (isCanceling) code = EXIT.interrupted;
  if (!printer.isHuman) await printEnded(instance, printer);
  else if (isFinalState(instance.state)) {
    for (const result of instance.results) await printer.text(`${makeLinesVisible(result)}\n`);
    await printer.remark(endText(instance, printer));
  }
  // Nobody will answer the question any more.
  if (isReading) io.end?.(code);
  return code;
}

function codeOf({ state }: JobInstance): number {
  const name = stateName(state);
  if (name === "Completed") return EXIT.ok;
  return name === "TimedOut" ? EXIT.timedOut : EXIT.conditionNotMet;
}

/** A failed command's exit code, in a shell's form; otherwise a run's. */
function commandCodeOf(instance: JobInstance): number {
  const { exitCode, signal } = instance.errorDetail ?? {};
  if (stateName(instance.state) !== "Terminated") return codeOf(instance);
  const number = signal === undefined ? undefined : constants.signals[signal as NodeJS.Signals];
  return exitCode ?? (number === undefined ? codeOf(instance) : SIGNAL_CODE + number);
}

/** The current run, with its arguments: a schedule may have set them. */
function runningText(instance: JobInstance, printer: Printer): string {
  const { kind, uuid } = instance;
  const all = argumentsText(instance);
  const given = all.length > ARGUMENTS_MAX ? `${all.slice(0, ARGUMENTS_MAX)}…` : all;
  return makeVisible(
    `Running ${kind} as ${printer.shortId(uuid)}${given === "" ? "" : ` with ${given}`}`,
  );
}

/** A watched run, and the user's wishes for it. */
class Watch {
  readonly #client: JobClient;
  readonly #context: VerbContext;
  readonly #left = new AbortController();
  /** Output waits while a question is open. */
  #question: Promise<void> | null = null;
  #instance: JobInstance;
  /** The waits that were shown last. */
  #waits = "";
  departure: Departure | null = null;
  isCanceling = false;
  /** True while an answer is awaited. */
  isReading = false;

  constructor(client: JobClient, first: JobInstance, context: VerbContext) {
    this.#client = client;
    this.#instance = first;
    this.#context = context;
  }

  /** Show the run until it ends or is left. Returns the instance in its last state. */
  async run(): Promise<JobInstance> {
    const { signal } = this.#left;
    await showRun(this.#client, this.#instance, {
      ...this.#context,
      signal,
      hasOutput: this.#context.printer.isHuman,
      seen: (instance) => this.#seen(instance),
      hold: () => this.#question ?? undefined,
    });
    // It may have ended while a question was open.
    if (!isFinalState(this.#instance.state)) this.#instance = await this.#read();
    return this.#instance;
  }

  /** End the watch; the run continues. */
  leave(why: Departure): void {
    this.departure ??= why;
    this.#left.abort();
  }

  /** Ctrl-C: ask what to do with the run. A second Ctrl-C, or one without a terminal, leaves it. */
  async interrupt(): Promise<void> {
    const { io } = this.#context;
    if (!io.isInteractive || this.#question !== null || this.isCanceling) {
      return this.leave("interrupted");
    }
    this.#question = this.#ask();
    await this.#question;
    this.#question = null;
  }

  async #ask(): Promise<void> {
    const { io } = this.#context;
    this.isReading = true;
    const answer = await Promise.race([
      ask(io, "\nCancel this run? (no, or Ctrl-C again, leaves it running) [y/N] "),
      aborted(this.#left.signal),
    ]);
    if (answer === null) return;
    this.isReading = false;
    if (!answer) return this.leave("interrupted");
    this.isCanceling = true;
    try {
      await this.#client.cancelInstances({ query: { uuid: this.#instance.uuid } });
    } catch (error) {
      await io.stderr.write(`Cannot cancel the run: ${String(error)}\n`).catch(() => {});
      this.leave("interrupted");
    }
  }

  /** Explain why a run has not started yet, except before a further attempt. */
  async showWaiting(): Promise<void> {
    const { printer } = this.#context;
    const { state, attempts } = this.#instance;
    if (!printer.isHuman || stateName(state) !== "Scheduled" || attempts) return;
    try {
      const text = await this.#waitingText(await this.#read());
      // It may have started meanwhile.
      if (stateName(this.#instance.state) === "Scheduled") await printer.remark(text);
    } catch {
      // The stream of the run reports that the daemon is away.
    }
  }

  async #waitingText({ blockedBy, dueAt, kind }: JobInstance): Promise<string> {
    const { printer } = this.#context;
    if (blockedBy !== undefined) return `Waiting for ${blockText(blockedBy, printer)}`;
    const dueMs = msOf(dueAt) ?? 0;
    if (dueMs > printer.nowMs) return `Waiting: due ${formatRelative(dueMs, printer.nowMs)}`;
    const { pauses } = await this.#client.listPauses({});
    const pause = pauses.find((each) => each.kind === undefined || each.kind === kind);
    if (pause === undefined) return "Waiting for a free worker";
    return pause.kind === undefined
      ? "Waiting: all jobs are paused, see jobctl resume"
      : `Waiting: the job is paused, see jobctl resume ${shellWord(kind)}`;
  }

  /** Keep the state of the run, and report an attempt that another one follows. */
  async #seen(instance: JobInstance): Promise<void> {
    const { printer } = this.#context;
    const before = this.#instance;
    const { attempts = 0, dueAt } = instance;
    // A short attempt may have begun and ended since the last look.
    const hasRun = stateName(before.state) === "Processing" || attempts > (before.attempts ?? 0);
    this.#instance = instance;
    if (!printer.isHuman || !hasRun || stateName(instance.state) !== "Scheduled") return;
    if (instance.waits.length > 0) {
      const text = waitsShown(instance, printer);
      if (text === this.#waits) return;
      this.#waits = text;
      return await printer.remark(`Parked: waits for ${text}`);
    }
    if (instance.reason === "unwinding") {
      return await printer.remark(`Attempt ${attempts} failed: what its steps did is taken back`);
    }
    const how = (instance.failures ?? 0) > (before.failures ?? 0) ? "failed" : "ended";
    const next = formatRelative(msOf(dueAt) ?? 0, printer.nowMs);
    await printer.remark(`Attempt ${attempts} ${how}: the next is due ${next}`);
  }

  async #read(): Promise<JobInstance> {
    const { uuid } = this.#instance;
    const { instance } = await this.#client.getInstance({ uuid });
    return present(instance, `Cannot get instance "${uuid}"`);
  }
}

/** Resolves with null when the signal aborts. */
function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}
