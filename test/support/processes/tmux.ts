import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { skipWithout } from "../../../scripts/programs/install.mjs";
import { until } from "../wait.ts";

/** Why tests that need tmux are skipped; false if it is there. */
export const WITHOUT_TMUX: string | false = skipWithout("tmux");

let count = 0;

/** A terminal of tmux with one program in it. */
export class TmuxTerminal {
  readonly #server: string;
  readonly #env: Readonly<Record<string, string | undefined>>;

  /** @param line for /bin/sh; the terminal stays when it has ended */
  constructor(
    line: string,
    options: {
      readonly columns: number;
      readonly rows: number;
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
    },
  ) {
    count += 1;
    this.#server = `jobctl-test-${process.pid}-${count}`;
    const { columns, rows, cwd, env } = options;
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith("JOBCTL_"));
    // The server of the terminal has them, too: it gives its own PATH to programs.
    this.#env = { ...Object.fromEntries(clean), LC_ALL: "C.UTF-8", ...env };
    const size = ["-x", String(columns), "-y", String(rows)];
    // No status line: the program has all rows.
    // The shell itself survives Ctrl-C.
    const begin = "trap : INT; printf ready; read _; clear";
    const shell = `${begin}; ${line}; echo "exit code $?"; exec sleep 600`;
    this.#tmux(
      ...["-f", "/dev/null", "start-server", ";", "set-option", "-g", "status", "off", ";"],
      ...["set-option", "-g", "default-terminal", "xterm-256color", ";"],
      ...["new-session", "-d", ...size, "-c", cwd, "/bin/sh", "-c", shell],
    );
  }

  /** Begin the program. */
  async start(): Promise<void> {
    await this.shows(/ready/);
    this.keys("Enter");
  }

  /** What it shows, without spaces at the ends of lines and without empty lines at the end. */
  get text(): string {
    return this.#tmux("capture-pane", "-p").split("\n").map((line) => line.trimEnd()).join("\n")
      .trimEnd();
  }

  /** The same with the colors and weights of ANSI. */
  get coloredText(): string {
    // Reversed blanks are seen.
    const trimmed = (line: string) => line.includes("\u001b[7m") ? line : line.trimEnd();
    return this.#tmux("capture-pane", "-e", "-N", "-p").split("\n").map(trimmed).join("\n")
      .trimEnd();
  }

  /** True while a program has the other buffer. */
  get isTaken(): boolean {
    return this.#format("#{alternate_on}") === "1";
  }

  get hasCursor(): boolean {
    return this.#format("#{cursor_flag}") === "1";
  }

  /** Press keys, by their names in tmux or as characters. */
  keys(...names: readonly string[]): void {
    this.#tmux("send-keys", ...names);
  }

  resize(columns: number, rows: number): void {
    this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** Resolves with the screen once it matches. */
  async shows(pattern: RegExp): Promise<string> {
    let text = "";
    try {
      await until(`the terminal to show ${pattern}`, () => pattern.test(text = this.text));
    } catch {
      assert.fail(`The terminal does not show ${pattern}:\n${text}`);
    }
    return text;
  }

  close(): void {
    this.#tmux("kill-server");
  }

  #format(format: string): string {
    return this.#tmux("display-message", "-p", format).trim();
  }

  #tmux(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync("tmux", ["-L", this.#server, ...args], {
      encoding: "utf8",
      env: this.#env,
    });
    assert.equal(status, 0, `tmux ${args.join(" ")}: ${stderr}`);
    return stdout;
  }
}
