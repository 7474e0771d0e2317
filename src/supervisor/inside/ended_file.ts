import { Buffer } from "node:buffer";
import { ftruncateSync, openSync, writeSync } from "node:fs";
import { systemClock } from "../../platform/clock.ts";
import { PRIVATE_FILE } from "../../platform/files/private_files.ts";
import { endedOf, type SupervisorPlace } from "../supervisor_folder.ts";
import type { FromSupervisor } from "../protocol.ts";
import type { EndedRun } from "./kept_runs.ts";

/** Most bytes of a file: more than kept runs take, unless much is escaped. */
const FILE_BYTES_MAX = 48_000_000;
/** Room in it for ends without output. */
const SPARE_BYTES = 8_000_000;

/**
 * The file beside the record in which a supervisor writes how commands ended while no daemon ran.
 * It outlives the supervisor: the next daemon may come much later.
 *
 * It is opened before this process gives up its daemon's rights.
 */
export class EndedFile {
  readonly #file: number;
  readonly #token: string;
  /** The runs in it that no daemon has recorded. */
  readonly #runs = new Set<number>();
  #bytes = 0;

  private constructor(file: number, token: string) {
    this.#file = file;
    this.#token = token;
  }

  /** @throws the system's error */
  static open(place: SupervisorPlace, token: string): EndedFile {
    return new EndedFile(openSync(endedOf(place), "ax", PRIVATE_FILE), token);
  }

  /** True if no later daemon needs the file. */
  get isEmpty(): boolean {
    return this.#runs.size === 0;
  }

  /** Write runs that are not in it. Runs that cannot be written are kept in memory alone. */
  write(ended: Iterable<EndedRun>): void {
    const lines: string[] = [];
    const added: number[] = [];
    let bytesAfter = this.#bytes;
    for (const { facts, messages } of ended) {
      if (this.#runs.has(facts.run)) continue;
      const at = systemClock.now().wallMs - (facts.endedAgoMs ?? 0);
      const ageMs = facts.ageMs - (facts.endedAgoMs ?? 0);
      const run = { ...facts, ageMs, isFrozen: false, frozenMs: 0 };
      lines.push(JSON.stringify({ type: "runs", runs: [run], isLast: true, at }));
      let texts = messages.map((message) => JSON.stringify(message));
      const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
      // Control characters take six bytes each. Losing output is better than running it again.
      if (bytesAfter + bytes > FILE_BYTES_MAX - SPARE_BYTES) {
        texts = withoutOutput(messages, at).map((message) => JSON.stringify(message));
      } else bytesAfter += bytes;
      for (const text of texts) lines.push(text);
      added.push(facts.run);
    }
    if (lines.length === 0) return;
    // After a line that a full disk cut, a new one begins.
    const head = this.#bytes === 0 ? `${JSON.stringify({ token: this.#token })}\n` : "\n";
    const bytes = Buffer.from(`${head}${lines.join("\n")}\n`);
    if (this.#bytes + bytes.length > FILE_BYTES_MAX) return;
    try {
      const written = writeSync(this.#file, bytes);
      this.#bytes += written;
      if (written === bytes.length) { for (const run of added) this.#runs.add(run); }
    } catch {
      // The disk is full: the next daemon must come before the leases end.
    }
  }

  /** A daemon has recorded a run. */
  done(run: number): void {
    if (!this.#runs.delete(run) || this.#runs.size > 0) return;
    try {
      ftruncateSync(this.#file);
      this.#bytes = 0;
    } catch {
      // Remaining runs in it have an older fence than their instance.
    }
  }
}

/** The messages of a run with one line in place of its output. */
function withoutOutput(messages: readonly FromSupervisor[], at: number): FromSupervisor[] {
  const message = "Its output was too large to be kept while no daemon ran";
  const log = messages.find(({ type }) => type === "log");
  const entry = { at, level: "warn", source: "system", message } as const;
  return [
    ...log === undefined ? [] : [{ ...log, entries: [entry] } as FromSupervisor],
    ...messages.filter(({ type }) => type !== "log"),
  ];
}
