import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isUuid } from "../../core/instance.ts";
import { isObject } from "../../core/text/object_keys.ts";
import { PRIVATE_FILE, PRIVATE_FOLDER } from "../../platform/files/private_files.ts";
import { readRegularFile } from "../../platform/files/read_file.ts";
import type { WrappedRun } from "./wrapped_run.ts";

/** Most files in a spool; the oldest make room. */
const FILES_MAX = 1_000;
const FILE_BYTES_MAX = 1_048_576;
/** Older files are deleted: their reports would be refused. */
const KEPT_MS = 30 * 86_400_000;
const SUFFIX = ".json";

/** The folder for reports that could not be delivered: `JOBCTL_SPOOL`, or one of the user's. */
export function spoolFolder(env: Readonly<Record<string, string | undefined>>): string {
  if (env.JOBCTL_SPOOL) return env.JOBCTL_SPOOL;
  const state = env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return join(state, "jobctl", "spool");
}

/** Reports of runs that could not be delivered yet: one file each, which only its user can read. */
export class Spool {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Keep a report, replacing an earlier one of the same run. @throws if it cannot be written */
  keep(run: WrappedRun): void {
    mkdirSync(this.folder, { recursive: true, mode: PRIVATE_FOLDER });
    const path = this.#pathOf(run);
    const unfinished = `${path}.${process.pid}.tmp`;
    rmSync(unfinished, { force: true });
    // In a shared folder, it could be someone's link by now.
    writeFileSync(unfinished, JSON.stringify(run), { mode: PRIVATE_FILE, flag: "wx" });
    // A reader of the folder sees all of the file or nothing.
    renameSync(unfinished, path);
    this.#makeRoom();
  }

  remove(run: WrappedRun): void {
    rmSync(this.#pathOf(run), { force: true });
  }

  /**
   * The kept reports, oldest first. Unreadable files are skipped, and so are other users' files:
   * reports are sent in the name of this user.
   */
  *runs(nowMs: number): Generator<WrappedRun> {
    for (const name of this.#names()) {
      const path = join(this.folder, name);
      try {
        const found = lstatSync(path);
        if (!found.isFile() || found.uid !== (process.geteuid?.() ?? found.uid)) continue;
        const file = nowMs - found.mtimeMs > KEPT_MS ? null : readRegularFile(path, FILE_BYTES_MAX);
        if (file === null) {
          rmSync(path, { force: true });
          continue;
        }
        const run: unknown = JSON.parse(file.bytes.toString("utf8"));
        if (isRun(run)) yield run;
      } catch {
        // Another process delivered it meanwhile, or it is damaged.
      }
    }
  }

  #pathOf({ runId }: WrappedRun): string {
    return join(this.folder, `${runId}${SUFFIX}`);
  }

  // Run ids begin with their time.
  #names(): string[] {
    if (!existsSync(this.folder)) return [];
    return readdirSync(this.folder).filter((name) => name.endsWith(SUFFIX)).sort();
  }

  #makeRoom(): void {
    const names = this.#names();
    for (const name of names.slice(0, Math.max(0, names.length - FILES_MAX))) {
      rmSync(join(this.folder, name), { force: true });
    }
  }
}

function isRun(value: unknown): value is WrappedRun {
  if (!isObject(value)) return false;
  const { kind, runId, host, target, startedAt, end } = value as Record<string, unknown>;
  const areTexts = [kind, runId, host, target].every((text) => typeof text === "string");
  if (!areTexts || !isUuid(runId as string) || typeof startedAt !== "number") return false;
  if (end === null) return true;
  const { at, exitCode, output } = (isObject(end) ? end : {}) as Record<string, unknown>;
  return typeof at === "number" && typeof exitCode === "number" && typeof output === "string";
}
