import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { MediumChange, MediumCommit, MediumPair, ReplicaMedium, StoreContext } from "ts-job";

/**
 * A store in one file that only grows. Each commit is one line, which is on the disk before the
 * commit is acknowledged. For one daemon at a time, on a local disk. A line that a crash cut short
 * is dropped. A start rewrites a file that has many more lines than rows.
 */
export class LogFile implements ReplicaMedium {
  readonly type = "logfile";
  readonly location: string;
  readonly isDurable = true;
  readonly #lock: string;
  #file: FileHandle | null = null;
  #version = 0;
  #bytes = 0;
  /** The last commit: the next one waits for it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.location = path;
    this.#lock = `${path}.lock`;
  }

  async open(): Promise<void> {
    await this.#takeLock();
    const { rows, lineCount } = await this.#read();
    if (lineCount > 1_000 + 2 * rows.size) await this.#rewrite(rows);
    this.#file = await open(this.location, "a");
    await this.#file.truncate(this.#bytes);
    // Only a sync of the directory puts the name of the file on the disk.
    const folder = await open(dirname(this.location));
    await folder.sync();
    await folder.close();
  }

  async load() {
    const { rows } = await this.#read();
    const pairs = (async function* () {
      yield [...rows];
    })();
    return { version: this.#version, pairs };
  }

  async version(): Promise<number> {
    return this.#version;
  }

  commit({ expected, next, puts, deletes }: MediumCommit): Promise<boolean> {
    const done = this.#last.then(async () => {
      if (expected !== this.#version) return false;
      await this.#append({ version: next, puts, deletes });
      this.#version = next;
      return true;
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** Nobody else commits to the file, so there is nothing to report. */
  watch(): () => void {
    return () => {};
  }

  async close(): Promise<void> {
    await this.#last;
    if (!this.#file) return;
    await this.#file.close();
    this.#file = null;
    await rm(this.#lock, { force: true });
  }

  async #append(line: MediumChange): Promise<void> {
    if (!this.#file) throw refusal("unavailable", "the file is closed after a disk error");
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    try {
      await this.#file.appendFile(bytes);
    } catch (error) {
      // Half a line may be in the file, and would spoil the line after it.
      await this.#file.truncate(this.#bytes);
      throw refusal("resource_exhausted", String(error));
    }
    try {
      await this.#file.datasync();
    } catch (error) {
      // After a failed sync nobody knows what is on the disk.
      await this.#file.close();
      this.#file = null;
      throw error;
    }
    this.#bytes += bytes.length;
  }

  /** Read every whole line. Anything after the last one was never acknowledged. */
  async #read(): Promise<{ rows: Map<string, string>; lineCount: number }> {
    const rows = new Map<string, string>();
    const bytes = await readFile(this.location, { flag: "a+" });
    let lineCount = 0;
    this.#bytes = 0;
    this.#version = 0;
    for (let end; (end = bytes.indexOf(10, this.#bytes)) >= 0; this.#bytes = end + 1) {
      const line = JSON.parse(bytes.toString("utf8", this.#bytes, end)) as MediumChange;
      for (const key of line.deletes) rows.delete(key);
      for (const [key, value] of line.puts) rows.set(key, value);
      this.#version = line.version;
      lineCount += 1;
    }
    return { rows, lineCount };
  }

  async #rewrite(rows: ReadonlyMap<string, string>): Promise<void> {
    const puts: MediumPair[] = [...rows];
    const line: MediumChange = { version: this.#version, puts, deletes: [] };
    const path = `${this.location}.new`;
    await writeFile(path, `${JSON.stringify(line)}\n`, { flush: true });
    await rename(path, this.location);
    this.#bytes = (await stat(this.location)).size;
  }

  async #takeLock(): Promise<void> {
    for (let tries = 0;; tries++) {
      const taken = await writeFile(this.#lock, String(process.pid), { flag: "wx" }).catch(() =>
        ""
      );
      if (taken !== "") return;
      const owner = Number(await readFile(this.#lock, "utf8"));
      if (tries > 0 || (owner !== process.pid && isAlive(owner))) {
        throw refusal("conflict", `process ${owner} has it; unless it is jobctl, remove the lock`);
      }
      await rm(this.#lock);
    }
  }
}

/** An error whose code the store passes on. */
function refusal(code: "conflict" | "resource_exhausted" | "unavailable", text: string): Error {
  return Object.assign(new Error(text), { code });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

export default ({ directory }: StoreContext) => new LogFile(join(directory, "jobs.log"));
