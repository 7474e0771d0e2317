import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { MediumChange, MediumCommit, MediumPair, ReplicaMedium, StoreContext } from "ts-job";

/**
 * A store in one file that only grows: each commit is a line, and on the disk before it is answered. For one daemon at a time, on
 * a local disk. A line that a crash cut short is dropped; when less than half of the file counts, it is written anew at the
 * next start.
 */
export class LogFile implements ReplicaMedium {
  readonly type = "logfile";
  readonly location: string;
  readonly isDurable = true;
  readonly #lock: string;
  #file: FileHandle | null = null;
  #version = 0;
  #bytes = 0;
  /** Commits wait for those before them. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.location = path;
    this.#lock = `${path}.lock`;
  }

  async open(): Promise<void> {
    await this.#takeLock();
    const { rows, lineCount } = await this.#read();
    if (lineCount > 1_000 + 2 * rows.size) await this.#writeAnew(rows);
    this.#file = await open(this.location, "a");
    await this.#file.truncate(this.#bytes);
    // The name of the file is on the disk when its directory is.
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

  /** Nobody else commits to the file: there is nothing to tell. */
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
      // Half a line may be there, and whatever follows it would be lost with it.
      await this.#file.truncate(this.#bytes);
      throw refusal("resource_exhausted", String(error));
    }
    try {
      await this.#file.datasync();
    } catch (error) {
      // Nobody knows what a disk has after a sync that failed.
      await this.#file.close();
      this.#file = null;
      throw error;
    }
    this.#bytes += bytes.length;
  }

  /** Every whole line of the file; what follows the last of them was never answered. */
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

  async #writeAnew(rows: ReadonlyMap<string, string>): Promise<void> {
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
        throw refusal("conflict", `process ${owner} has it; if that is no jobctl, remove the lock`);
      }
      await rm(this.#lock);
    }
  }
}

/** An error that the store passes on by its code. */
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
