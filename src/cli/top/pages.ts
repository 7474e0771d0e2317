import type { Clock } from "../../platform/clock.ts";
import { countText } from "../../core/text/count_text.ts";
import { makeLinesVisible } from "../../core/text/safe_text.ts";
import { toJobError } from "../../core/errors.ts";
import type { JobClient } from "../../rpc/client/client.ts";
import { formatLine } from "../screen/line.ts";
import type { Key } from "../screen/keys.ts";
import type { Size } from "../screen/terminal.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { stateCell } from "../views/state_words.ts";
import { LogReader } from "./log_lines.ts";
import { LINES_MAX, Pager } from "./pager.ts";

/** A view over the overview until it is closed. */
export interface Page {
  readonly hints: readonly string[];
  /** The lines of the page, up to the size's rows. */
  lines(size: Size, hasColor: boolean): readonly string[];
  /** A key was pressed; returns false if it has no meaning here. */
  pressed(key: Key): boolean;
  /** Show the first line that contains a text, in upper or lower case. */
  search(text: string): void;
  /** Something has changed at the daemon. */
  refresh(): void;
  close(): void;
}

/** Rows of a page that are not its text. */
const HEAD_ROWS = 1;

/** Scroll or search. @returns false for other keys */
function scrolled(pager: Pager, key: Key): boolean {
  if (key === "up" || key === "k") pager.scroll(-1);
  else if (key === "down" || key === "j" || key === "enter") pager.scroll(1);
  else if (key === "page-up" || key === "b") pager.scrollPages(-1);
  else if (key === "page-down" || key === " ") pager.scrollPages(1);
  else if (key === "home" || key === "g") pager.scroll(-Infinity);
  else if (key === "end" || key === "G") pager.scroll(Infinity);
  else if (key === "n") pager.next(1);
  else if (key === "N") pager.next(-1);
  else return false;
  return true;
}

/** Progress of a search: `"x": 3 of 12`. */
function matchText({ match }: Pager): string {
  if (match === undefined) return "";
  const { text, number, count } = match;
  return count === 0 ? `"${text}": not found` : `"${text}": ${number} of ${count}`;
}

function pageLines(
  pager: Pager,
  title: readonly string[],
  { rows, columns }: Size,
  hasColor: boolean,
): readonly string[] {
  pager.resize({ rows: Math.max(1, rows - HEAD_ROWS), columns });
  const [name = "", ...others] = title;
  const text = [name, matchText(pager), ...others].filter((part) => part !== "").join(" · ");
  return [formatLine([{ text, style: "active" }], { columns, hasColor }), ...pager.view()];
}

/** A page of text that is read again when something changes. */
export class TextPage implements Page {
  readonly pager: Pager = new Pager({ rows: 1, columns: 80 }, { isAtEnd: false });
  readonly hints: readonly string[] = ["Up/Down scroll", "/ search", "n N next", "q back"];
  readonly #title: string;
  readonly #read: () => Promise<string>;
  readonly #changed: () => void;
  #isReading = false;
  #isClosed = false;

  /** @param read the text, which may have any content; changes are shown after `refresh` */
  constructor(title: string, read: () => Promise<string>, changed: () => void) {
    this.#title = title;
    this.#read = read;
    this.#changed = changed;
    this.refresh();
  }

  lines(size: Size, hasColor: boolean): readonly string[] {
    return pageLines(this.pager, [this.#title], size, hasColor);
  }

  pressed(key: Key): boolean {
    return scrolled(this.pager, key);
  }

  search(text: string): void {
    this.pager.search(text);
  }

  refresh(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    void this.#readAgain();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #readAgain(): Promise<void> {
    try {
      this.pager.replace(makeLinesVisible((await this.#read()).trimEnd()).split("\n"));
    } catch (error) {
      // Earlier results are still useful.
      const { message, hint = "" } = toJobError(error, "Cannot read this");
      if (this.pager.length === 0) {
        this.pager.replace(makeLinesVisible(`${message}\n${hint}`).split("\n"));
      }
    } finally {
      this.#isReading = false;
    }
    if (!this.#isClosed) this.#changed();
  }
}

/** The log of an instance as it grows. */
export class LogPage implements Page {
  readonly pager: Pager = new Pager({ rows: 1, columns: 80 }, { isAtEnd: true });
  readonly #name: string;
  readonly #reader: LogReader;
  readonly #changed: () => void;
  #state = "";
  #isAway = false;
  #problem = "";

  constructor(
    client: JobClient,
    { uuid, name, clock }: { readonly uuid: string; readonly name: string; readonly clock: Clock },
    changed: () => void,
  ) {
    this.#name = name;
    this.#changed = changed;
    this.#reader = new LogReader(client, uuid, {
      lines: (lines, isOlder) => {
        if (isOlder) this.pager.prepend(lines);
        else this.pager.append(lines);
        changed();
      },
      instance: (instance) => {
        this.#state = makeVisible(stateCell(instance).text);
        changed();
      },
      away: (isAway) => {
        this.#isAway = isAway;
        changed();
      },
      failed: (error) => {
        this.#problem = toJobError(error, "Cannot read the log").message;
        changed();
      },
    });
    this.#reader.start(clock);
  }

  get hints(): readonly string[] {
    const end = this.pager.isAtEnd ? "following the end" : "G follow the end";
    return ["Up/Down scroll", "/ search", "n N next", end, "q back"];
  }

  lines(size: Size, hasColor: boolean): readonly string[] {
    const lines = countText(this.pager.length, "line");
    const count = this.#reader.hasOlder ? `last ${lines}` : lines;
    const away = this.#isAway ? "disconnected, trying again" : "";
    const title = [`Log of ${this.#name}`, this.#state, count, away, this.#problem];
    return pageLines(this.pager, title, size, hasColor);
  }

  pressed(key: Key): boolean {
    const isScrolled = scrolled(this.pager, key);
    const isFull = this.pager.length >= LINES_MAX;
    if (isScrolled && this.pager.isAtBegin && !isFull) {
      void this.#reader.readOlder().then(this.#changed);
    }
    return isScrolled;
  }

  search(text: string): void {
    this.pager.search(text);
    void this.#searchOlder(text);
  }

  /** A text without matches may be in lines before the loaded ones. */
  async #searchOlder(text: string): Promise<void> {
    const { pager } = this;
    const isWanted = () => pager.match?.count === 0 && this.#reader.hasOlder;
    while (isWanted() && pager.length < LINES_MAX) {
      const before = pager.length;
      await this.#reader.readOlder();
      if (pager.length === before) return;
      pager.search(text);
      this.#changed();
    }
  }

  refresh(): void {
    // Its own stream reports changes.
  }

  close(): void {
    this.#reader.close();
  }
}
