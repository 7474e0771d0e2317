import { countText } from "../../../core/text/count_text.ts";
import { makeLinesVisible, makeVisible } from "../../../core/text/safe_text.ts";
import { BatchFile } from "../../batch/batch_file.ts";
import {
  type CheckedFile,
  checkFile,
  type Progress,
  type QueuedFile,
  queueFile,
  type Target,
} from "../../batch/queue_file.ts";
import type { LineProblem } from "../../batch/read_line.ts";
import { EXIT } from "../../io/exit_codes.ts";
import { withInterrupt } from "../../verb/follow.ts";
import { writeMessage } from "../../parsing/written_file.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import type { OptionSpecs } from "../../parsing/options.ts";
import type { VerbContext } from "../../verb/verb.ts";

/** Options for a file of instances; its lines have all others. */
const ALLOWED: readonly string[] = ["from", "batch", "dry-run"];
/** Interval between progress reports: on a terminal, and in a log. */
const SHOWN_MS = { terminal: 200, log: 10_000 } as const;

/** Refuse options and words that would have to be on the lines. */
function assertAlone(args: Args, options: OptionSpecs): void {
  const [option] = args.given(Object.keys(options).filter((name) => !ALLOWED.includes(name)));
  const [named] = args.named();
  const name = option ?? named?.name;
  if (name !== undefined) {
    throw usageError(
      `Cannot use --${makeVisible(name)} with --from: each line has its own`,
      'Write it on the lines: {"kind": "report", "arguments": {"day": 1}, "priority": 7}',
    );
  }
  const [word] = args.words("ARGS");
  if (word === undefined) return;
  throw usageError(
    `Cannot use the argument "${makeVisible(word)}" with --from: each line has its own`,
    'Write it on the lines: {"arguments": ["2026-01-31"]}',
  );
}

class ProgressLine {
  readonly #context: VerbContext;
  readonly #isQuiet: boolean;
  #shownMs: number;
  #step: Progress["step"] | null = null;
  #isOpen = false;

  constructor(context: VerbContext, isQuiet: boolean) {
    this.#context = context;
    this.#isQuiet = isQuiet;
    this.#shownMs = context.io.clock.now().monotonicMs;
  }

  readonly show = ({ step, lines, share }: Progress): void => {
    const { io } = this.#context;
    if (this.#isQuiet) return;
    const isTerminal = io.isErrorTerminal === true;
    const nowMs = io.clock.now().monotonicMs;
    const everyMs = isTerminal ? SHOWN_MS.terminal : SHOWN_MS.log;
    if (step === this.#step && nowMs - this.#shownMs < everyMs && (!isTerminal || share < 1)) {
      return;
    }
    const isFirst = step !== this.#step;
    this.#step = step;
    // A log needs no line about short work.
    if (!isTerminal && isFirst) return;
    this.#shownMs = nowMs;
    const what = step === "check" ? "Checked" : "Queued";
    const text = `${what} ${countText(lines, "line")} (${Math.floor(share * 100)} %)`;
    this.#isOpen = isTerminal;
    void io.stderr.write(isTerminal ? `\r${text}\x1b[K` : `${text}\n`).catch(() => {});
  };

  /** End the line, so that other text begins on a new one. */
  async end(): Promise<void> {
    if (this.#isOpen) await this.#context.io.stderr.write("\r\x1b[K");
    this.#isOpen = false;
  }
}

async function printProblems(
  { problems, isPartial }: CheckedFile,
  name: string,
  { io }: VerbContext,
): Promise<void> {
  for (const problem of problems) {
    await io.stderr.write(`${makeLinesVisible(problemText(problem, name))}\n`);
  }
  const count = countText(problems.length, "problem");
  const more = isPartial ? " so far; the rest was not read" : "";
  await writeMessage(io, `${makeVisible(name)}: ${count}${more}. Nothing was queued`);
}

function problemText({ line, column, message, hint }: LineProblem, name: string): string {
  const text = `${name}:${line}:${column}: ${message}`;
  return hint === undefined ? text : `${text}\n  hint: ${hint}`;
}

/** `jobctl schedule --from FILE`: check every line, then queue them in order. */
export async function scheduleFrom(
  args: Args,
  context: VerbContext,
  options: OptionSpecs,
): Promise<number> {
  assertAlone(args, options);
  const { io } = context;
  const client = await context.client();
  const file = await BatchFile.open(args.text("from")!, io);
  const line = new ProgressLine(context, args.flag("quiet"));
  try {
    return await withInterrupt(context, async (signal) => {
      const kind = args.word("KIND") || undefined;
      const target: Target = { client, kind, clock: io.clock, signal, progress: line.show };
      const checked = await checkFile(file, target);
      await line.end();
      if (signal.aborted) {
        await writeMessage(io, "Stopped: nothing was queued");
        return EXIT.interrupted;
      }
      if (checked.problems.length > 0) {
        await printProblems(checked, file.name, context);
        return EXIT.usage;
      }
      const isDryRun = args.flag("dry-run");
      const salt = args.text("batch") ?? "";
      const queued = await queueFile(file, target, { digest: checked.digest, salt, isDryRun });
      await line.end();
      if (!signal.aborted || queued.lines === checked.lines) {
        return await report(file, context, { ...queued, isDryRun });
      }
      if (isDryRun) return EXIT.interrupted;
      const left = checked.lines - queued.lines;
      await writeMessage(io, `Stopped: ${queued.lines} lines are queued, ${left} are not`);
      await writeMessage(io, "Run the same command again to continue: no line is queued twice");
      return EXIT.interrupted;
    }, { signals: ["SIGTERM", "SIGHUP"] });
  } finally {
    await line.end();
    await file.close();
  }
}

async function report(
  { name }: BatchFile,
  { printer }: VerbContext,
  { lines, existing, isDryRun }: QueuedFile & { readonly isDryRun: boolean },
): Promise<number> {
  const queued = isDryRun ? 0 : lines - existing;
  const file = makeVisible(name);
  const text = isDryRun
    ? `${file} is good: ${countText(lines, "instance")}. Nothing was queued`
    : `Queued ${countText(queued, "instance")} from ${file}`;
  const again = "To queue the same lines again, name another --batch";
  const there = existing === 0 ? [] : [`${existing} were queued before. ${again}`];
  await printer.details({ file: name, lines, queued, existing }, name, [text, ...there]);
  return EXIT.ok;
}
