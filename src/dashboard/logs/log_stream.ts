import { type Signal, signal } from "@preact/signals";
import { apiUrl, get, segment } from "../api/client.ts";
import { follow, type StreamState } from "../api/events.ts";
import type { Problem } from "../api/problem.ts";
import type { FollowResponse, JobInstance, LookupInstanceLogsResponse } from "../gen/api_types.ts";
import { isFinished } from "../text/instance_state.ts";
import { LogLines } from "./log_lines.ts";

/** A line of this number is awaited with all before it. */
const FAR_LINES = 2_000;
/** Lines before and after a line that is farther away. */
const AROUND_LINES = 300;

/** The log of an instance as it grows. */
export class LogStream {
  /** Rises, at most once a frame, when lines were added. */
  readonly version: Signal<number> = signal(0);
  readonly state: Signal<StreamState> = signal<StreamState>("connecting");
  readonly problem: Signal<Problem | null> = signal<Problem | null>(null);
  /** True once all lines that had been written at the start are here. */
  readonly isComplete: Signal<boolean> = signal(false);
  readonly #abort = new AbortController();
  readonly #whole = new LogLines();
  /** The lines around one that is far from the first, until the whole log has come so far. */
  #part: LogLines | null = null;
  #isNoted = false;

  /**
   * @param id of the instance
   * @param target number of the line to begin with; 0 for none
   * @param onInstance called with the instance whenever its state or progress has changed
   */
  constructor(id: string, target: number, onInstance: (instance: JobInstance) => void) {
    if (target > FAR_LINES) void this.#loadPart(id, target);
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
          this.#whole.add(message.entries);
          if (this.#part !== null && this.#whole.has(this.#part.last)) this.#part = null;
          this.#note();
        }
        const { instance } = message;
        if (instance === undefined) return;
        // It comes behind the lines that there were.
        this.isComplete.value = true;
        onInstance(instance);
        if (!isFinished(instance)) return;
        // It is the last message: nothing follows.
        this.#part = null;
        this.#abort.abort();
        this.state.value = "ended";
      },
    });
  }

  /** The lines that there are: all so far, or those around the line that was asked for. */
  get lines(): LogLines {
    return this.#part ?? this.#whole;
  }

  /** How many lines have come in their order. */
  get read(): number {
    return this.#whole.count;
  }

  /** True if lines before those that are shown have not come yet. */
  get isPart(): boolean {
    return this.#part !== null;
  }

  /** Stop following. */
  close(): void {
    this.#abort.abort();
  }

  /** What fails here comes with the whole log. */
  async #loadPart(id: string, target: number): Promise<void> {
    const query = { from_line: Math.max(1, target - AROUND_LINES), page_size: 2 * AROUND_LINES };
    const { signal } = this.#abort;
    const path = `/instances/${segment(id)}/logs`;
    const read = get<LookupInstanceLogsResponse>(path, query, signal);
    const { entries } = await read.catch(() => ({ entries: [] }));
    if (entries.length === 0 || this.#whole.has(target) || signal.aborted) return;
    this.#part = new LogLines();
    this.#part.add(entries);
    this.#note();
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
