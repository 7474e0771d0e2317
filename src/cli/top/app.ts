import { JobError, toJobError } from "../../core/errors.ts";
import { orElseIf } from "../../core/or_else.ts";
import { type Clock, sleep } from "../../platform/clock.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import type { GetCallerResponse } from "../../rpc/gen/job_pb.ts";
import { EXIT } from "../io/exit_codes.ts";
import { displayWidth, type Style } from "../output/table.ts";
import type { Key } from "../screen/keys.ts";
import { formatLine, wrapWords } from "../screen/line.ts";
import type { CursorPlace, Screen } from "../screen/screen.ts";
import type { SessionEvents } from "../screen/session.ts";
import type { Size } from "../screen/terminal.ts";
import type { VerbContext } from "../verb/verb.ts";
import { watchDaemon } from "../watch/watch_stream.ts";
import {
  acknowledgeAction,
  type Action,
  cancelAction,
  nameOf,
  pauseAction,
  type Refusal,
  refusalFor,
  retryAction,
} from "./actions.ts";
import { describeRow, instanceFor, titleOf } from "./describe.ts";
import { Overview } from "./overview.ts";
import { LogPage, type Page, TextPage } from "./pages.ts";
import { kindOf, type Row } from "./sections.ts";
import { withMessage } from "./top_data.ts";

// Apart from the code that shows it: it is read as a page.
/** The help of `?`, for 60 columns. */
const HELP_TEXT = `Keys

  Up, Down, k, j     select a row
  Tab, Shift-Tab     go to the next part, to the one before
  PgUp, PgDn, g, G   by screens, to the first, to the last
  Enter, d           describe the instance, or the job
  l                  its log; of a schedule, the last run's
  c                  cancel it
  r                  run it again; of a schedule, run it now
  p                  pause or resume its job
  P                  pause or resume all jobs
  a                  acknowledge an incident, or take that back
  /                  show only kinds that contain a text
  Esc                show all kinds
  Ctrl-L             draw everything anew
  q, Ctrl-C          quit

c, r, p, P and a ask first, and say what exactly will be done.

In a log or a description

  Up, Down, PgUp, PgDn, Space, b   scroll
  g, G               go to the start, follow the end
  /                  search
  n, N               the next match, the one before
  q, Esc             go back

What is shown

  Running     with age, progress and memory, the oldest first
  Next        ticks of schedules and waiting instances
  Failed      what failed for good, the newest first
  Incidents   what is wrong and has not recovered
  Nodes       the daemons on the store, if there are several

At most 100 runs and 50 rows of each other part are shown;
"jobctl list" has all of them.
`;

/** Ages are drawn anew this often. */
const TICK_MS = 1_000;
/** Most rows of a question. */
const QUESTION_ROWS_MAX = 4;
const INPUT_CHARS_MAX = 200;
/** Smallest terminal that the view fits on. */
const SIZE_MIN: Size = { rows: 8, columns: 40 };

const HINTS = [
  "? help",
  "q quit",
  "Enter describe",
  "l log",
  "c cancel",
  "r retry",
  "p pause",
  "/ filter",
  "Tab next part",
];

/** A text that is being typed. */
interface Input {
  readonly label: string;
  text: string;
  /** Called for each change, and at the end; undefined if it was given up. */
  readonly typed: (text: string | undefined, isDone: boolean) => void;
}

/** Parts that the view uses. */
export interface TopParts {
  readonly context: VerbContext;
  readonly client: JobClient;
  readonly caller: GetCallerResponse | null;
  readonly screen: Screen;
  readonly hasColor: boolean;
  /** Only jobs of this kind; undefined for all. */
  readonly kind: string | undefined;
}

/** The full-screen view: reads the daemon's reports, and acts on keys. */
export class TopApp implements SessionEvents {
  readonly #parts: TopParts;
  readonly #clock: Clock;
  readonly #overview = new Overview();
  readonly #stop = new AbortController();
  #page: Page | null = null;
  #question: Action | null = null;
  #input: Input | null = null;
  #message: { readonly text: string; readonly style: Style } | null = null;
  #isAway = false;
  #isDrawing = false;
  #isStale = false;
  #code: number = EXIT.ok;

  constructor(parts: TopParts) {
    this.#parts = parts;
    this.#clock = parts.context.io.clock;
  }

  /** Show the view until it is quit. @returns the exit code @throws JobError of the daemon */
  async run(): Promise<number> {
    const { client, kind } = this.#parts;
    const { signal } = this.#stop;
    this.#draw();
    void this.#tick(signal);
    await watchDaemon(client, kind, {
      received: (message) => {
        this.#overview.data = withMessage(this.#overview.data, message);
        this.#page?.refresh();
        this.#draw();
      },
      away: (isAway) => {
        this.#isAway = isAway;
        this.#draw();
      },
    }, { clock: this.#clock, signal });
    this.#page?.close();
    return this.#code;
  }

  changed(): void {
    this.#draw();
  }

  ended(): void {
    this.#quit(EXIT.ok);
  }

  pressed(key: Key): void {
    if (key === "ctrl-c") return this.#quit(EXIT.interrupted);
    this.#message = null;
    if (this.#input !== null) this.#typed(this.#input, key);
    else if (this.#question !== null) this.#answered(this.#question, key);
    else if (this.#page !== null) this.#pressedOnPage(this.#page, key);
    else this.#pressedOnOverview(key);
    this.#draw();
  }

  async #tick(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#clock, TICK_MS, signal);
      this.#draw();
    }
  }

  #quit(code: number): void {
    this.#code = code;
    this.#stop.abort();
  }

  #pressedOnPage(page: Page, key: Key): void {
    if (key === "q" || key === "escape") {
      page.close();
      this.#page = null;
    } else if (key === "/") {
      this.#ask("Search", (text, isDone) => isDone && page.search(text ?? ""));
    } else page.pressed(key);
  }

  #pressedOnOverview(key: Key): void {
    const overview = this.#overview;
    const moves: Readonly<Record<string, () => unknown>> = {
      "up": () => overview.move(-1),
      "k": () => overview.move(-1),
      "down": () => overview.move(1),
      "j": () => overview.move(1),
      "page-up": () => overview.movePages(-1),
      "page-down": () => overview.movePages(1),
      "home": () => overview.move(-Infinity),
      "g": () => overview.move(-Infinity),
      "end": () => overview.move(Infinity),
      "G": () => overview.move(Infinity),
      "tab": () => overview.moveSections(1),
      "back-tab": () => overview.moveSections(-1),
      "q": () => this.#quit(EXIT.ok),
      "escape": () => overview.filter = "",
      "/": () => this.#ask("Only kinds with", (text) => overview.filter = text ?? ""),
      "?": () => this.#open(new TextPage("Help", () => Promise.resolve(HELP_TEXT), this.#redraw)),
      "P": () => this.#propose(pauseAction(undefined, overview.data.pauses)),
    };
    if (Object.hasOwn(moves, key)) return void moves[key]!();
    const row = overview.selected;
    if (row !== undefined) this.#pressedOnRow(row, key);
  }

  #pressedOnRow(row: Row, key: Key): void {
    const { context, client } = this.#parts;
    if (key === "enter" || key === "d") {
      const read = () => describeRow(row, client, context);
      this.#open(new TextPage(titleOf(row), read, this.#redraw));
    } else if (key === "l") void this.#openLog(row);
    else if (key === "c") this.#propose(cancelAction(row.subject));
    else if (key === "r") this.#propose(retryAction(row.subject));
    else if (key === "a") this.#propose(acknowledgeAction(row.subject));
    else if (key === "p") {
      const kind = kindOf(row.subject);
      this.#propose(
        kind === undefined
          ? { refusal: "This row is about no job: P pauses all jobs" }
          : pauseAction(kind, this.#overview.data.pauses),
      );
    }
  }

  #open(page: Page): void {
    this.#page?.close();
    this.#page = page;
  }

  async #openLog(row: Row): Promise<void> {
    const { client } = this.#parts;
    try {
      const found = await instanceFor(row, client);
      const kind = kindOf(row.subject);
      if (found === undefined) {
        this.#say(kind === undefined ? "This row has no log" : `No run of ${kind} yet`, "warn");
      } else if (this.#page === null) {
        const options = { uuid: found.uuid, name: nameOf(found), clock: this.#clock };
        this.#open(new LogPage(client, options, this.#redraw));
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#draw();
  }

  #propose(action: Action | Refusal): void {
    const refusal = "refusal" in action ? action.refusal : refusalFor(this.#parts.caller);
    if (refusal !== undefined) this.#say(refusal, "warn");
    else if ("question" in action) this.#question = action;
  }

  #answered(action: Action, key: Key): void {
    this.#question = null;
    if (key !== "y" && key !== "Y") return this.#say("Nothing was changed", "dim");
    this.#say("…", "dim");
    action.run(this.#parts.client).then(
      (done) => this.#say(done, "good"),
      (error) => this.#fail(error),
    ).finally(this.#redraw);
  }

  #ask(label: string, typed: Input["typed"]): void {
    this.#input = { label, text: "", typed };
  }

  #typed(input: Input, key: Key): void {
    if (key === "enter" || key === "escape") {
      this.#input = null;
      return input.typed(key === "enter" ? input.text : undefined, true);
    }
    if (key === "backspace") input.text = [...input.text].slice(0, -1).join("");
    else if (key === "ctrl-u") input.text = "";
    else if ([...key].length === 1 && input.text.length < INPUT_CHARS_MAX) input.text += key;
    input.typed(input.text, false);
  }

  #say(text: string, style: Style): void {
    this.#message = { text, style };
  }

  #fail(error: unknown): void {
    const jobError = toJobError(error, "Cannot do this");
    const isAway = jobError.code === "unavailable";
    this.#say(isAway ? "Not done: the daemon cannot be reached" : jobError.message, "bad");
  }

  readonly #redraw = (): void => this.#draw();

  /** Draw the current view. A slow terminal gets only the last of several frames. */
  #draw(): void {
    this.#isStale = true;
    if (!this.#isDrawing) void this.#drawStale();
  }

  async #drawStale(): Promise<void> {
    const { screen } = this.#parts;
    this.#isDrawing = true;
    while (this.#isStale && !this.#stop.signal.aborted) {
      this.#isStale = false;
      const { lines, cursor } = this.#frame(screen.size);
      await screen.draw(lines, cursor);
    }
    this.#isDrawing = false;
  }

  #frame(
    size: Size,
  ): { readonly lines: readonly string[]; readonly cursor: CursorPlace | null } {
    const { columns } = size;
    if (size.rows < SIZE_MIN.rows || columns < SIZE_MIN.columns) {
      const { rows, columns: width } = SIZE_MIN;
      return { lines: wrapWords(`Too small: ${width}x${rows} are needed`, columns), cursor: null };
    }
    const footer = this.#footer(columns);
    const rows = size.rows - footer.length;
    const { hasColor, caller } = this.#parts;
    const look = { nowMs: this.#clock.now().wallMs, hasColor, isAway: this.#isAway, caller };
    // The view below is kept up to date: it knows the selected row.
    const below = this.#overview.lines({ rows, columns }, look);
    const lines = this.#page?.lines({ rows, columns }, hasColor) ?? below;
    const filling = Array<string>(Math.max(0, rows - lines.length)).fill("");
    const input = this.#input;
    const typedTo = input === null ? 0 : displayWidth(`${input.label}: ${input.text}`);
    return {
      lines: [...lines, ...filling, ...footer],
      cursor: input === null
        ? null
        : { row: size.rows - 1, column: Math.min(columns - 1, typedTo) },
    };
  }

  #footer(columns: number): readonly string[] {
    const { hasColor } = this.#parts;
    const line = (text: string, style: Style) =>
      formatLine([{ text, style }], { columns, hasColor });
    if (this.#input !== null) return [line(`${this.#input.label}: ${this.#input.text}`, "active")];
    if (this.#question !== null) {
      return wrapWords(`${this.#question.question} [y/N]`, columns).slice(0, QUESTION_ROWS_MAX)
        .map((text) => line(text, "warn"));
    }
    if (this.#message !== null) return [line(this.#message.text, this.#message.style)];
    if (this.#isAway && this.#page !== null) return [line("disconnected, trying again", "bad")];
    return [line(fitHints(this.#page?.hints ?? HINTS, columns), "dim")];
  }
}

/** The longest prefix of the hints that fits. */
function fitHints(hints: readonly string[], columns: number): string {
  let text = "";
  for (const hint of hints) {
    const longer = text === "" ? hint : `${text}  ${hint}`;
    if (displayWidth(longer) > columns) break;
    text = longer;
  }
  return text;
}

/** The caller of the daemon; null if an older daemon does not say. */
export function callerOf(client: JobClient): Promise<GetCallerResponse | null> {
  return orElseIf(client.getCaller({}), ["unimplemented"], null);
}

/** @throws JobError `invalid_argument` without a terminal to draw on */
export function assertScreen({ io }: VerbContext): void {
  const { TERM } = io.env;
  const problem = !io.isTerminal || !io.isInteractive
    ? "this is not a terminal"
    : TERM === undefined || TERM === "" || TERM === "dumb"
    ? `TERM is "${TERM ?? ""}"`
    : null;
  if (problem === null) return;
  throw new JobError("invalid_argument", `Cannot open the full-screen view: ${problem}`, {
    hint: 'Use "jobctl status --watch" or "jobctl list instances --watch", which need no screen',
  });
}
