import type { FollowResponse, JobInstance, LogEntry } from "../../rpc/gen/job_pb.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import type { VerbContext } from "../verb.ts";
import { progressText } from "../views/instance_view.ts";

/** Clears the line of the terminal that the cursor is on. */
const CLEAR = "\r\x1b[K";

/** Shows a run on stderr while it goes on: its log by the line, its progress on one line of a terminal or else on lines. */
export class RunDisplay {
  readonly #context: VerbContext;
  readonly #isTerminal: boolean;
  #progress = "";

  constructor(context: VerbContext) {
    this.#context = context;
    this.#isTerminal = context.io.isErrorTerminal === true;
  }

  /** Show what happened. */
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

  /** Take the line of progress away; what follows has its place. */
  async end(): Promise<void> {
    if (this.#isTerminal && this.#progress !== "") await this.#write(CLEAR);
    this.#progress = "";
  }

  #progressOf(instance: JobInstance): string {
    const text = progressText(instance);
    return text === undefined ? this.#progress : `progress ${text}`;
  }

  // What a job prints is shown as it is; what it logs with a level that says something has it in front.
  #line({ level, message, source }: LogEntry): string {
    const text = this.#isTerminal ? message.split("\t").map(makeVisible).join("\t") : message;
    const isPlain = source === "stdout" || source === "stderr" || level === "info";
    const from = source === "system" ? "jobctl: " : "";
    return isPlain ? `${from}${text}` : `${from}${level.toUpperCase()} ${text}`;
  }

  // Nobody reading the log any more is no reason to stop the run.
  async #write(text: string): Promise<void> {
    await this.#context.io.stderr.write(text).catch(() => {});
  }
}
