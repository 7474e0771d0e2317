import type { Size, Terminal } from "../../../src/cli/screen/terminal.ts";
import { displayWidth } from "../../../src/cli/output/table.ts";

/** Sequences that the program may write. Anything else that begins with ESC fails a test. */
// deno-lint-ignore no-control-regex
const SEQUENCE = /^\u001b\[(\??)([\d;]*)([A-Za-z])/;

/** A terminal that shows what is written to it as text, and is told which keys are pressed. */
export class FakeTerminal implements Terminal {
  isRaw = false;
  /** True while the other buffer is shown. */
  isTaken = false;
  hasCursor = true;
  /** Set once the program asked to be stopped, or to end. */
  suspended = 0;
  exitCode: number | null = null;
  #size: Size;
  #cells: string[][] = [];
  #row = 0;
  #column = 0;
  readonly #inputs = new Set<(text: string) => void>();
  readonly #ends = new Set<() => void>();
  readonly #resizes = new Set<() => void>();
  readonly #exits = new Set<() => void>();
  readonly #signals = new Map<string, Set<(name: NodeJS.Signals) => void>>();

  constructor(size: Size) {
    this.#size = size;
    this.#clear();
  }

  /** What it shows, without spaces at the ends of lines and without empty lines at the end. */
  get text(): string {
    return this.#cells.map((cells) => cells.join("").trimEnd()).join("\n").trimEnd();
  }

  /** How many listeners it has: none when it has been given back. */
  get listeners(): number {
    const signals = [...this.#signals.values()].reduce((sum, { size }) => sum + size, 0);
    return this.#inputs.size + this.#resizes.size + this.#exits.size + signals;
  }

  press(...keys: readonly string[]): void {
    for (const key of keys) for (const listener of [...this.#inputs]) listener(key);
  }

  endInput(): void {
    for (const listener of [...this.#ends]) listener();
  }

  resize(size: Size): void {
    this.#size = size;
    this.#clear();
    for (const listener of [...this.#resizes]) listener();
  }

  signal(name: NodeJS.Signals): void {
    for (const listener of [...this.#signals.get(name) ?? []]) listener(name);
  }

  /** The process ends without having been asked. */
  end(): void {
    for (const listener of [...this.#exits]) listener();
  }

  size(): Size {
    return this.#size;
  }

  write(text: string): Promise<void> {
    this.writeNow(text);
    return Promise.resolve();
  }

  writeNow(text: string): void {
    let rest = text;
    while (rest !== "") {
      const sequence = SEQUENCE.exec(rest);
      if (sequence) {
        this.#control(sequence[1] + sequence[2]!, sequence[3]!);
        rest = rest.slice(sequence[0].length);
        continue;
      }
      const character = String.fromCodePoint(rest.codePointAt(0)!);
      if (/\p{Cc}/u.test(character)) {
        throw new Error(`A control character reached the terminal: ${JSON.stringify(character)}`);
      }
      this.#put(character);
      rest = rest.slice(character.length);
    }
  }

  setRaw(isRaw: boolean): void {
    this.isRaw = isRaw;
  }

  onInput(listener: (text: string) => void, ended: () => void): () => void {
    this.#ends.add(ended);
    return added(this.#inputs, listener);
  }

  onResize(listener: () => void): () => void {
    return added(this.#resizes, listener);
  }

  onSignals(names: readonly NodeJS.Signals[], listener: (name: NodeJS.Signals) => void) {
    const stops = names.map((name) => {
      const listeners = this.#signals.get(name) ?? new Set();
      this.#signals.set(name, listeners);
      return added(listeners, listener);
    });
    return () => stops.forEach((stop) => stop());
  }

  onExit(listener: () => void): () => void {
    return added(this.#exits, listener);
  }

  suspend(): void {
    if (this.#signals.get("SIGTSTP")?.size) throw new Error("The signal would be caught");
    this.suspended += 1;
  }

  exit(code: number): void {
    this.exitCode = code;
  }

  #clear(): void {
    const { rows, columns } = this.#size;
    this.#cells = [...Array(rows)].map(() => Array(columns).fill(" "));
  }

  #put(character: string): void {
    const width = displayWidth(character);
    if (this.#column + width > this.#size.columns) {
      throw new Error(`Line ${this.#row} is wider than the terminal at "${character}"`);
    }
    const cells = this.#cells[this.#row]!;
    if (width === 0) cells[this.#column - 1] += character;
    else cells[this.#column] = character;
    if (width === 2) cells[this.#column + 1] = "";
    this.#column += width;
  }

  #control(parameters: string, final: string): void {
    const isOn = final === "h";
    if (parameters === "?1049") this.isTaken = isOn;
    else if (parameters === "?25") this.hasCursor = isOn;
    else if (final === "H") {
      const [row = 1, column = 1] = parameters.split(";").map(Number);
      [this.#row, this.#column] = [row - 1, column - 1];
    } else if (final === "J") this.#clear();
    else if (final === "K") this.#cells[this.#row] = Array(this.#size.columns).fill(" ");
    else if (final !== "m" && !parameters.startsWith("?")) {
      throw new Error(`The terminal does not know ${parameters}${final}`);
    }
  }
}

function added<T>(set: Set<T>, one: T): () => void {
  set.add(one);
  return () => void set.delete(one);
}
