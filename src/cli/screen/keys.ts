import type { Clock, Timer } from "../../platform/clock.ts";

/** A pressed key: a character, or a name such as "up", "page-down", "enter" or "ctrl-c". */
export type Key = string;

const CONTROLS: Readonly<Record<string, Key>> = {
  "\t": "tab",
  "\r": "enter",
  "\n": "enter",
  "\b": "backspace",
  "\u007f": "backspace",
  "\u0003": "ctrl-c",
  "\u000c": "ctrl-l",
  "\u0015": "ctrl-u",
  "\u001a": "ctrl-z",
};

/** By the last character of a sequence. */
const FINALS: Readonly<Record<string, Key>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
  Z: "back-tab",
};

/** By the number of a sequence that ends with "~". */
const NUMBERS: Readonly<Record<string, Key>> = {
  1: "home",
  4: "end",
  5: "page-up",
  6: "page-down",
  7: "home",
  8: "end",
};

// deno-lint-ignore no-control-regex
const SEQUENCE = /^\u001b(?:\[([0-?]*)([@-~])|O([A-Z]))/;
// deno-lint-ignore no-control-regex
const BEGUN = /^\u001b(?:\[[0-?]*|O)?$/;
/** Longest begin of a sequence that is kept. */
const BEGUN_CHARS_MAX = 32;

/** Split a terminal's input. @returns the keys, and an incomplete sequence */
export function readKeys(text: string): { readonly keys: readonly Key[]; readonly rest: string } {
  const keys: Key[] = [];
  let rest = text;
  while (rest !== "") {
    const sequence = SEQUENCE.exec(rest);
    if (sequence) {
      const [whole, numbers = "", final = "", letter = ""] = sequence;
      const key = final === "~" ? NUMBERS[numbers.split(";", 1)[0]!] : FINALS[final || letter];
      if (key !== undefined) keys.push(key);
      rest = rest.slice(whole.length);
      continue;
    }
    if (BEGUN.test(rest) && rest.length <= BEGUN_CHARS_MAX) return { keys, rest };
    const character = String.fromCodePoint(rest.codePointAt(0)!);
    if (character === "\u001b") keys.push("escape");
    else if (CONTROLS[character] !== undefined) keys.push(CONTROLS[character]);
    else if (character >= " ") keys.push(character);
    rest = rest.slice(character.length);
  }
  return { keys, rest };
}

/** Time for the rest of a sequence to arrive. Without it, the key was Escape. */
const SEQUENCE_MS = 50;

/** Reads keys from the input of a terminal as it comes. */
export class KeyReader {
  readonly #clock: Clock;
  readonly #pressed: (key: Key) => void;
  #rest = "";
  #timer: Timer | null = null;

  constructor(clock: Clock, pressed: (key: Key) => void) {
    this.#clock = clock;
    this.#pressed = pressed;
  }

  push(text: string): void {
    this.#timer?.cancel();
    this.#timer = null;
    const { keys, rest } = readKeys(this.#rest + text);
    this.#rest = rest;
    for (const key of keys) this.#pressed(key);
    if (rest !== "") this.#timer = this.#clock.timer(SEQUENCE_MS, () => this.#giveUp());
  }

  close(): void {
    this.#timer?.cancel();
  }

  #giveUp(): void {
    this.#timer = null;
    this.#rest = "";
    this.#pressed("escape");
  }
}
