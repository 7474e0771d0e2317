import { orElseIf } from "../../core/or_else.ts";
import { isJobError } from "../../core/errors.ts";
import { EXIT } from "../io/exit_codes.ts";
import { withInterrupt } from "../verb/follow.ts";
import type { CliIo } from "../io/io.ts";
import { findNamed, resolveId } from "../lookup/find_instance.ts";
import { displayWidth } from "../output/table.ts";
import { clockText } from "../output/when.ts";
import { type Args, usageError } from "../parsing/args.ts";
import { wrapCells } from "../screen/line.ts";
import type { Screen } from "../screen/screen.ts";
import type { Size } from "../screen/terminal.ts";
import type { Verb, VerbContext } from "../verb/verb.ts";
import { ChangePrinter, TextBuffer } from "./change_printer.ts";
import { Changes, type WatchTarget } from "./changes.ts";

const EVERY_MS_MIN = 1_000;
/** The note shown while the daemon cannot be reached. */
const AWAY = "disconnected, trying again";

/**
 * Run a verb again whenever something changes: on a terminal its output is redrawn in place,
 * elsewhere new output is appended. An instance is watched until it has ended, everything else
 * until Ctrl-C.
 *
 * @returns the exit code: Ctrl-C's, or success if the instance has ended
 * @throws JobError like the verb, but not if the daemon goes away later
 */
export async function watchVerb(verb: Verb, args: Args, context: VerbContext): Promise<number> {
  const everyMs = readInterval(args);
  const target = await targetOf(verb, args, context);
  // An id whose meaning changes, such as the last run, would be a different one in the next round.
  const pinned = target.uuid === undefined ? args : args.withWord(idWordOf(verb), target.uuid);
  const watched = { verb, args: pinned, context, everyMs, target };
  const { printer, io } = context;
  return printer.isHuman && io.isTerminal && io.env.TERM !== "dumb"
    ? await watchOnScreen(watched)
    : await watchInLines(watched);
}

/** A verb with the shared state of its rounds. */
interface Watched {
  readonly verb: Verb;
  readonly args: Args;
  readonly context: VerbContext;
  readonly everyMs: number | null;
  readonly target: WatchTarget;
}

/** @throws JobError `invalid_argument` for an interval that is too short */
function readInterval(args: Args): number | null {
  if (args.raw("watch") === "") return null;
  const everyMs = args.durationMs("watch");
  if (everyMs === undefined || everyMs >= EVERY_MS_MIN) return everyMs ?? null;
  throw usageError(
    `Cannot use --watch "${args.text("watch")}": wanted 1s or more`,
    "Without a duration, --watch shows each change within a second",
  );
}

/** The word of a verb that may be the id of an instance. */
function idWordOf({ watches }: Verb): string {
  return watches === "named" ? "NAME" : "ID";
}

async function targetOf(verb: Verb, args: Args, { client }: VerbContext): Promise<WatchTarget> {
  const word = args.word(idWordOf(verb));
  if (verb.watches === "named") {
    const named = await orElseIf(findNamed(await client(), word), ["not_found"], null);
    if (named === null) return {};
    return named.type === "kind" ? { kind: named.kind } : { uuid: named.instance.uuid };
  }
  if (verb.watches === "instance") {
    return { uuid: await resolveId(await client(), word, "jobctl describe job KIND") };
  }
  if (verb.watches === "job") return { kind: args.word("KIND") };
  return {};
}

/** One more run of the verb. @returns false if the daemon cannot be reached */
async function run({ verb, args }: Watched, context: VerbContext, isFirst: boolean) {
  try {
    await verb.run(args, context);
    return true;
  } catch (error) {
    if (isFirst || !(isJobError(error, "unavailable") || isJobError(error, "timeout"))) throw error;
    return false;
  }
}

async function watchInLines(watched: Watched): Promise<number> {
  const { context, everyMs, target } = watched;
  const { io } = context;
  const { options } = context.printer;
  const printer = new ChangePrinter(io, options);
  const say = (text: string) => options.isQuiet ? undefined : io.stderr.write(`jobctl: ${text}\n`);
  // A stream that is still read after an error, for example of a closed pipe, would keep the
  // process.
  const ending = new AbortController();
  return await withInterrupt(context, async (interrupt) => {
    const signal = AbortSignal.any([interrupt, ending.signal]);
    const changes = new Changes({ clock: io.clock, signal, everyMs });
    let isAway = false;
    for (let isFirst = true;; isFirst = false) {
      const { hasEnded } = changes;
      const isThere = await run(watched, { ...context, printer }, isFirst);
      await printer.flush();
      if (isAway === isThere) await say(isThere ? "connected again" : AWAY);
      isAway = !isThere;
      if (hasEnded && isThere) return EXIT.ok;
      if (isFirst) changes.start(await context.client(), target);
      if (!await changes.next()) return EXIT.interrupted;
    }
  }).finally(() => ending.abort());
}

async function watchOnScreen(watched: Watched): Promise<number> {
  const { io } = watched.context;
  const { onWholeTerminal } = await import("../screen/session.ts");
  const terminal = io.terminal ?? (await import("../screen/terminal.ts")).processTerminal();
  // Before the terminal is taken: errors of the command line appear on an ordinary one.
  const first = await view(watched, terminal.size(), true);
  const stop = new AbortController();
  const changes = new Changes({ clock: io.clock, signal: stop.signal, everyMs: watched.everyMs });
  let shown = first!;
  const code = await onWholeTerminal(terminal, io.clock, async (screen, listen) => {
    const state = { isAway: false, atMs: io.clock.now().wallMs };
    const draw = () => void screen.draw(screenLines(shown, screen.size, headOf(watched, state)));
    listen({
      pressed: (key) => key === "q" || key === "ctrl-c" ? stop.abort() : changes.ring(),
      changed() {
        draw();
        changes.ring();
      },
      ended: () => stop.abort(),
    });
    draw();
    changes.start(await watched.context.client(), watched.target);
    return await lookAgain(watched, changes, {
      screen,
      signal: stop.signal,
      show(text) {
        shown = text ?? shown;
        state.isAway = text === null || changes.isAway;
        if (text !== null) state.atMs = io.clock.now().wallMs;
        draw();
      },
    });
  }).finally(() => stop.abort());
  // The visible part, but the full outcome of an instance.
  const { rows, columns } = terminal.size();
  const isCut = code !== EXIT.ok;
  const last = isCut ? bodyLines(shown, { rows: rows - 1, columns }) : [shown.trimEnd()];
  await io.stdout.write(`${last.join("\n")}\n`);
  return code;
}

async function lookAgain(
  watched: Watched,
  changes: Changes,
  { screen, signal, show }: {
    readonly screen: Screen;
    readonly signal: AbortSignal;
    show(text: string | null): void;
  },
): Promise<number> {
  // An unresponsive daemon must not keep anybody from leaving.
  const left = new Promise<undefined>((resolve) =>
    signal.addEventListener("abort", () => resolve(undefined))
  );
  while (await changes.next()) {
    const { hasEnded } = changes;
    const text = await Promise.race([view(watched, screen.size, false), left]);
    if (text === undefined) break;
    show(text);
    if (hasEnded && text !== null) return EXIT.ok;
  }
  return EXIT.interrupted;
}

/** The verb's output in the terminal's current width; null if the daemon is unreachable. */
async function view(watched: Watched, { columns }: Size, isFirst: boolean): Promise<string | null> {
  const { context } = watched;
  const buffer = new TextBuffer();
  const io: CliIo = {
    ...context.io,
    stdout: buffer,
    stderr: buffer,
    columns,
    isInteractive: false,
  };
  const printer = context.printer.writingTo(io);
  const isThere = await run(watched, { ...context, io, printer }, isFirst);
  return isThere ? buffer.take() : null;
}

/** The line above the watched output. */
function headOf(
  { everyMs, context: { printer } }: Watched,
  { isAway, atMs }: { readonly isAway: boolean; readonly atMs: number },
): (columns: number) => string {
  const what = isAway ? AWAY : everyMs === null ? "at each change" : `every ${everyMs / 1_000} s`;
  const text = `${what} · ${isAway ? "as of " : ""}${clockText(atMs)} · q ends`;
  return (columns) => printer.paint(wrapCells(text, columns)[0]!, isAway ? "bad" : "dim");
}

// deno-lint-ignore no-control-regex
const COLORS = /\u001b\[[\d;]*m/g;

/** Output as lines of a screen under a head. */
export function screenLines(
  output: string,
  { rows, columns }: Size,
  head: (columns: number) => string,
): readonly string[] {
  return [head(columns), ...bodyLines(output, { rows: Math.max(1, rows - 1), columns })];
}

/** Output as at most `rows` lines: long ones are wrapped, and lines that do not fit are counted. */
function bodyLines(output: string, { rows, columns }: Size): readonly string[] {
  const lines = output.trimEnd().split("\n").flatMap((line) => {
    const plain = line.replaceAll(COLORS, "").replaceAll("\t", "    ");
    return displayWidth(plain) <= columns && !line.includes("\t")
      ? [line]
      : wrapCells(plain, columns);
  });
  if (lines.length <= rows) return lines;
  const kept = lines.slice(0, rows - 1);
  return [...kept, `… ${lines.length - kept.length} more lines`];
}
