import { type Signal, signal } from "@preact/signals";
import { apiUrl, segment } from "../api/client.ts";
import { follow, type StreamState } from "../api/events.ts";
import type { Problem } from "../api/problem.ts";
import type { FollowResponse, JobInstance } from "../gen/api_types.ts";
import { isFinished } from "../text/instance_state.ts";
import { LogLines } from "./log_lines.ts";

/** The log of an instance as it grows. */
export class LogStream {
  readonly lines: LogLines = new LogLines();
  /** Rises, at most once a frame, when lines were added. */
  readonly version: Signal<number> = signal(0);
  readonly state: Signal<StreamState> = signal<StreamState>("connecting");
  readonly problem: Signal<Problem | null> = signal<Problem | null>(null);
  readonly #abort = new AbortController();
  #isNoted = false;

  /**
   * @param id of the instance
   * @param onInstance called with the instance whenever its state or progress has changed
   */
  constructor(id: string, onInstance: (instance: JobInstance) => void) {
    let cursor = "";
    void follow({
      url: () => apiUrl(`/instances/${segment(id)}/follow`, { cursor }),
      signal: this.#abort.signal,
      onState: (state, problem) => {
        this.state.value = state;
        this.problem.value = problem;
      },
      onEvent: ({ data }) => {
        const message = JSON.parse(data) as FollowResponse;
        cursor = message.cursor;
        if (message.entries.length > 0) {
          this.lines.add(message.entries);
          this.#note();
        }
        const { instance } = message;
        if (instance === undefined) return;
        onInstance(instance);
        if (!isFinished(instance)) return;
        // It is the last message: nothing follows.
        this.#abort.abort();
        this.state.value = "ended";
      },
    });
  }

  /** Stop following. */
  close(): void {
    this.#abort.abort();
  }

  #note(): void {
    if (this.#isNoted) return;
    this.#isNoted = true;
    requestAnimationFrame(() => {
      this.#isNoted = false;
      this.version.value++;
    });
  }
}
