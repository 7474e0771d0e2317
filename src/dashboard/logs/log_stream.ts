import { type Signal, signal } from "@preact/signals";
import { apiUrl, get, segment } from "../api/client.ts";
import { follow, type StreamState } from "../api/events.ts";
import type { Problem } from "../api/problem.ts";
import type { FollowResponse, JobInstance, LookupInstanceLogsResponse } from "../gen/api_types.ts";
import { isFinished } from "../text/instance_state.ts";
import { LogLines } from "./log_lines.ts";

/** Distance up to which a line is awaited together with all earlier ones. */
const FAR_LINES = 2_000;
/** Lines before and after a line that is farther away. */
const AROUND_LINES = 300;

/** The log of an instance as it grows. */
export class LogStream {
  /** Rises, at most once a frame, when lines were added. */
  readonly version: Signal<number> = signal(0);
  readonly state: Signal<StreamState> = signal<StreamState>("connecting");
  readonly problem: Signal<Problem | null> = signal<Problem | null>(null);
  /** True once all lines written before the start are here. */
  readonly isComplete: Signal<boolean> = signal(false);
  readonly #abort = new AbortController();
  readonly #whole = new LogLines();
  /** The lines around a distant one, until the log has been read up to there. */
  #part: LogLines | null = null;
  #isNoted = false;

  /**
   * @param id of the instance
   * @param target number of the line to begin with; 0 for none
   * @param onInstance called with the instance after each change of its state or progress
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
        // It follows the existing lines.
        this.isComplete.value = true;
        onInstance(instance);
        if (!isFinished(instance)) return;
        // It is the last message.
        this.#part = null;
        this.#abort.abort();
        this.state.value = "ended";
      },
    });
  }

  /** The available lines: all so far, or the ones around the requested line. */
  get lines(): LogLines {
    return this.#part ?? this.#whole;
  }

  /** Number of lines that have come in order. */
  get read(): number {
    return this.#whole.count;
  }

  /** True if earlier lines than the shown ones are missing. */
  get isPart(): boolean {
    return this.#part !== null;
  }

  /** Stop following. */
  close(): void {
    this.#abort.abort();
  }

  /** Errors here reappear with the whole log. */
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
