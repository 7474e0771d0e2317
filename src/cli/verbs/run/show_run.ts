import { makeVisible } from "../../../core/text/safe_text.ts";
import type { JobClient } from "../../../rpc/client/client.ts";
import type {
  FollowResponse,
  JobInstance,
  LogEntry,
  ScheduleJobResponse,
} from "../../../rpc/gen/job_pb.ts";
import { EXIT } from "../../io/exit_codes.ts";
import type { Printer, RecordOfMessage } from "../../output/printer.ts";
import { followSteps } from "../../verb/follow.ts";
import { present } from "../../lookup/lookup.ts";
import type { VerbContext } from "../../verb/verb.ts";
import { instanceLines } from "../../views/details.ts";
import { timeText } from "../../output/when.ts";
import { errorLine, progressText, tookText } from "../../views/instance_view.ts";
import { stateCell } from "../../views/state_words.ts";
import { isFinalState, stateName } from "../../io/wire.ts";

/** Print the response to a dry run. */
export async function printPreview(
  answer: ScheduleJobResponse,
  { printer }: VerbContext,
): Promise<void> {
  const preview = present(answer.instance, "Cannot make a dry run");
  const { kind, uuid, arguments: converted } = preview;
  const lines = converted.map((text, index) => `  ${index + 1}. ${makeVisible(text)}`);
  const record = (of: RecordOfMessage) => ({
    ...of(preview),
    schedule: answer.schedule && of(answer.schedule),
    dry_run: true,
  });
  const there = uuid === "" ? [] : [`Instance ${uuid} is there already: it would not run again`];
  await printer.details(record, kind, [
    ...there,
    `Nothing was queued. Job ${makeVisible(kind)} would be given ${
      lines.length === 0 ? "no arguments" : "these arguments:"
    }`,
    ...lines,
  ]);
}

/**
 * True if the daemon returned an existing instance, as it has the same unique key.
 *
 * @param requested the id of the request; undefined without one
 */
export function isExisting(
  { uuid, uniqueKey }: JobInstance,
  requested: string | undefined,
): boolean {
  return requested !== undefined && uniqueKey !== undefined && uuid !== requested;
}

/** Text about an existing instance: the reason, its state, and until when. */
export function existingText(instance: JobInstance, printer: Printer): string {
  const { uuid, uniqueKey = "", uniqueUntil } = instance;
  const until = timeText(uniqueUntil, printer.nowMs);
  return `Nothing new was queued: ${printer.shortId(uuid)} (${stateCell(instance).text}) has the ` +
    `unique key ${makeVisible(uniqueKey)} until ${until ?? "it ends"}`;
}

/** The end of a run: "Failed: exit 3, after 49ms: disk full". */
export function endText(instance: JobInstance, printer: Printer): string {
  const isDone = stateName(instance.state) === "Completed";
  const { text } = stateCell(instance);
  const took = tookText(instance, printer.nowMs);
  const after = took === undefined ? "" : isDone ? ` in ${took}` : `, after ${took}`;
  const { attempts = 0 } = instance;
  const tries = attempts > 1 ? `, attempt ${attempts}` : "";
  const error = errorLine(instance);
  const why = error === "" ? "" : `: ${error}`;
  const more = isDone ? "" : `\nSee jobctl describe ${printer.shortId(instance.uuid)}`;
  return `${text[0]!.toUpperCase()}${text.slice(1)}${after}${tries}${why}${more}`;
}

/** Print an instance as it is now. */
export async function printEnded(instance: JobInstance, printer: Printer): Promise<void> {
  const lines = instanceLines(instance, printer);
  await printer.details((of) => of(instance), instance.uuid, lines);
}

/** Print an instance as it is now. Returns the exit code for its outcome. */
export async function printRun(
  instance: JobInstance,
  { printer }: VerbContext,
): Promise<number> {
  await printEnded(instance, printer);
  if (!isFinalState(instance.state)) {
    await printer.note(
      `The wait ended before the instance did: jobctl get instance ${instance.uuid}`,
    );
    return EXIT.timedOut;
  }
  return stateName(instance.state) === "Completed" ? EXIT.ok : EXIT.conditionNotMet;
}

/** View settings of a run. */
interface ShownRun extends VerbContext {
  readonly signal: AbortSignal;
  /** True if the job's stdout goes to stdout. */
  readonly hasOutput?: boolean;
  /** Called with each state of the instance. */
  readonly seen?: (instance: JobInstance) => Promise<void>;
  /** Resolves when more may be shown. */
  readonly hold?: () => Promise<void> | undefined;
}

/**
 * Show the log and the progress of an instance on stderr until it is final, or the signal aborts.
 *
 * @returns the instance as last seen
 */
export async function showRun(
  client: JobClient,
  first: JobInstance,
  context: ShownRun,
): Promise<JobInstance> {
  const display = new RunDisplay(context);
  let instance = first;
  try {
    for await (const step of followSteps(client, { uuid: first.uuid }, context)) {
      await context.hold?.();
      if (context.signal.aborted) break;
      await display.show(step);
      instance = step.instance ?? instance;
      await context.seen?.(instance);
    }
  } finally {
    await display.end();
  }
  return instance;
}

/** Clears the current line of the terminal. */
const CLEAR = "\r\x1b[K";

/**
 * Shows the log and the progress of a running instance on stderr. On a terminal the progress stays
 * on one line below the log.
 */
class RunDisplay {
  readonly #context: ShownRun;
  readonly #isTerminal: boolean;
  #progress = "";

  constructor(context: ShownRun) {
    this.#context = context;
    this.#isTerminal = context.io.isErrorTerminal === true;
  }

  /** Show one step. */
  async show({ entries, instance }: Pick<FollowResponse, "entries" | "instance">): Promise<void> {
    const progress = instance ? this.#progressOf(instance) : this.#progress;
    const isSame = progress === this.#progress;
    if (entries.length === 0 && isSame) return;
    if (this.#isTerminal && this.#progress !== "") await this.#write(CLEAR);
    this.#progress = progress;
    let lines = "";
    let isOutput = false;
    for (const entry of entries) {
      const isNext = this.#context.hasOutput === true && entry.source === "stdout";
      if (isNext !== isOutput) await this.#write(lines, isOutput);
      lines = `${isNext === isOutput ? lines : ""}${this.#line(entry)}\n`;
      isOutput = isNext;
    }
    await this.#write(lines, isOutput);
    if (this.#isTerminal) await this.#write(progress);
    else if (!isSame) await this.#write(`${progress}\n`);
  }

  /** Clear the line of progress. */
  async end(): Promise<void> {
    if (this.#isTerminal && this.#progress !== "") await this.#write(CLEAR);
    this.#progress = "";
  }

  #progressOf(instance: JobInstance): string {
    const text = progressText(instance);
    return text === undefined ? this.#progress : `progress ${text}`;
  }

  // Printed lines are shown unchanged. Logged lines begin with their level, except info.
  #line({ level, message, source }: LogEntry): string {
    const text = this.#isTerminal ? message.split("\t").map(makeVisible).join("\t") : message;
    const isPlain = source === "stdout" || source === "stderr" || level === "info";
    const from = source === "system" ? "jobctl: " : "";
    return isPlain ? `${from}${text}` : `${from}${makeVisible(level).toUpperCase()} ${text}`;
  }

  // The run continues when nobody reads its log any more.
  async #write(text: string, isOutput = false): Promise<void> {
    if (text === "") return;
    const { stdout, stderr } = this.#context.io;
    await (isOutput ? stdout : stderr).write(text).catch(() => {});
  }
}
