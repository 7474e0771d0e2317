import { closeSync, constants, openSync, rmSync, writeSync } from "node:fs";
import { isUuid } from "../core/instance.ts";
import type { Clock } from "../platform/clock.ts";
import { PRIVATE_FILE } from "../platform/files/private_files.ts";
import { readRegularFile } from "../platform/files/read_file.ts";
import type { ProcessIdentity } from "../platform/process/process_identity.ts";
import type { ClaimOfRun } from "./protocol.ts";
import { listPlaces, type SupervisorPlace, waitingOf } from "./supervisor_folder.ts";

/** Longest file that is read, in bytes: a daemon claims fewer than a thousand commands at once. */
const FILE_BYTES_MAX = 1_048_576;

/**
 * The claims of commands that wait for their supervisor to start, in a file beside its record.
 *
 * A claim is in the file only while its command has been sent to no supervisor. So if the daemon
 * dies, the next one knows that the command has not begun.
 */
export class WaitingClaims {
  readonly #path: string;
  readonly #clock: Clock;
  /** The process of the daemon; first line of the file. */
  readonly #daemon: string;
  #unwritten: ClaimOfRun[] = [];
  #isWritten = false;

  constructor(
    place: SupervisorPlace,
    { clock, daemon }: { readonly clock: Clock; readonly daemon: string },
  ) {
    this.#path = waitingOf(place);
    this.#clock = clock;
    this.#daemon = daemon;
  }

  /** A command waits from now on. It is written with the others of this turn of the event loop. */
  add({ id, fence }: ClaimOfRun): void {
    if (this.#unwritten.push({ id, fence }) === 1) this.#clock.defer(() => this.#write());
  }

  /** None waits any longer: call this before the first command is sent. */
  clear(): void {
    this.#unwritten = [];
    if (this.#isWritten) removeFile(this.#path);
    this.#isWritten = false;
  }

  #write(): void {
    if (this.#unwritten.length === 0) return;
    const lines = this.#unwritten.map(({ id, fence }) => `${id} ${fence}\n`);
    if (!this.#isWritten) lines.unshift(`${this.#daemon}\n`);
    this.#unwritten = [];
    this.#isWritten = true;
    try {
      append(this.#path, lines.join(""));
    } catch {
      // The next daemon will count them as lost, like started ones.
    }
  }
}

/** Never waits: a command of the daemon's own user may have put a pipe in its place. */
function append(path: string, text: string): void {
  const { O_APPEND, O_CREAT, O_WRONLY, O_NONBLOCK } = constants;
  const flags = O_APPEND | O_CREAT | O_WRONLY | (O_NONBLOCK ?? 0);
  const file = openSync(path, flags, PRIVATE_FILE);
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}

/** A file of an earlier daemon's {@link WaitingClaims}. */
export interface LeftClaims {
  /** Empty if it is unknown whether the daemon is dead. */
  readonly claims: readonly ClaimOfRun[];
  /** They are released: forget them. */
  remove(): void;
}

/**
 * Read the claims of commands that earlier daemons have not begun.
 *
 * @throws JobError `permission_denied` if others can have written into the folder
 */
export function readLeftClaims(
  folder: string,
  { fateOf }: Pick<ProcessIdentity, "fateOf">,
): readonly LeftClaims[] {
  return listPlaces(folder, "waiting").flatMap((place) => {
    const path = waitingOf(place);
    const [daemon, ...lines] = linesIn(path);
    const fate = fateOf(daemon ?? null);
    if (fate === "alive") return [];
    const claims = fate === "gone" ? lines.flatMap(claimIn) : [];
    return [{ claims, remove: () => removeFile(path) }];
  });
}

/** The complete lines of a file. */
function linesIn(path: string): readonly string[] {
  try {
    const found = readRegularFile(path, FILE_BYTES_MAX);
    return found?.bytes.toString().split("\n").slice(0, -1) ?? [];
  } catch {
    return [];
  }
}

function claimIn(line: string): readonly ClaimOfRun[] {
  const [id = "", text] = line.split(" ");
  const fence = Number(text);
  return isUuid(id) && Number.isSafeInteger(fence) ? [{ id, fence }] : [];
}

function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A supervisor's statement about a claim counts more than the file.
  }
}
