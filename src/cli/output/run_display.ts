import type { FollowResponse, JobInstance, LogEntry } from "../../rpc/gen/job_pb.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { VerbContext } from "../verb.ts";
import { progressText } from "../views/instance_view.ts";

/** Clears the current line of the terminal. */
const CLEAR = "\r\x1b[K";

/**
 * Shows a running instance on stderr: its log, and its progress. On a terminal the progress stays on
 * one line below the log.
 */
export class RunDisplay {
  readonly #context: VerbContext;
  readonly #isTerminal: boolean;
  #progress = "";

  constructor(context: VerbContext) {
    this.#context = context;
    this.#isTerminal = context.io.isErrorTerminal === true;
  }

  /** Show one step. */
  async show({ entries, instance }: Pick<FollowResponse, "entries" | "instance">): Promise<void> {
    const progress = instance ? this.#progressOf(instance) : this.#progress;
    const lines = entries.map((entry) => `${this.#line(entry)}\n`).join("");
    if (this.#isTerminal) {
      const clear = this.#progress === "" ? "" : CLEAR;
      if (lines !== "" || progress !== this.#progress) await this.#write(clear + lines + progress);
    } else if (lines !== "" || progress !== this.#progress) {
      await this.#write(lines + (progress === this.#progress ? "" : `${progress}\n`));
    }
    this.#progress = progress;
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

  // Printed lines are shown as they are. Logged lines have their level in front, except info.
  #line({ level, message, source }: LogEntry): string {
    const text = this.#isTerminal ? message.split("\t").map(makeVisible).join("\t") : message;
    const isPlain = source === "stdout" || source === "stderr" || level === "info";
    const from = source === "system" ? "jobctl: " : "";
    return isPlain ? `${from}${text}` : `${from}${level.toUpperCase()} ${text}`;
  }

  // The run does not stop if nobody reads its log any more.
  async #write(text: string): Promise<void> {
    await this.#context.io.stderr.write(text).catch(() => {});
  }
}
