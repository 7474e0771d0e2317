import { createReadStream, existsSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { once } from "node:events";
import { dirname } from "node:path";
import { createGunzip, createGzip, type Gzip } from "node:zlib";
import { JobError, messageOf } from "../core/errors.ts";
import { fileErrorCode } from "../core/file_errors.ts";
import { notWritten } from "../platform/files/not_written.ts";
import { PRIVATE_FILE } from "../platform/files/private_files.ts";
import { linesOf } from "./backup.ts";

/** A backup being written to a temporary file beside its path, so that it is never incomplete. */
export interface BackupWriter {
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Write it to the disk and move it to its path.
   *
   * @param check called in between; if it rejects, the file is not moved
   * @returns its size in bytes
   */
  end(check?: () => Promise<void>): Promise<number>;
  /** Delete the temporary file. */
  discard(): Promise<void>;
}

const isPacked = (path: string) => path.endsWith(".gz");

/**
 * Begin a backup; compressed if the path ends in .gz. Only its owner may read it.
 *
 * @param part path of the temporary file, in the same folder; an existing file is deleted
 * @throws JobError like {@link fileErrorCode} if it cannot be written
 */
export async function writeBackupFile(path: string, part: string): Promise<BackupWriter> {
  let file: FileHandle;
  try {
    // An existing file may belong to another user or be a link.
    await rm(part, { force: true });
    file = await open(part, "wx", PRIVATE_FILE);
  } catch (error) {
    throw notWritten(path, error);
  }
  const sink = isPacked(path) ? new PackedSink(file) : new PlainSink(file);
  let isOpen = true;
  const close = async () => {
    if (!isOpen) return;
    isOpen = false;
    await file.close();
  };
  const step = async <T>(does: () => Promise<T>): Promise<T> => {
    try {
      return await does();
    } catch (error) {
      throw notWritten(path, error);
    }
  };
  return {
    write: (bytes) => step(() => sink.write(bytes)),
    async end(check) {
      const bytes = await step(async () => {
        await sink.end();
        await file.sync();
        const { size } = await file.stat();
        await close();
        return size;
      });
      await check?.();
      await step(() => rename(part, path));
      await syncFolder(dirname(path));
      return bytes;
    },
    async discard() {
      sink.stop();
      await close().catch(() => {});
      await rm(part, { force: true });
    },
  };
}

/** Writes bytes unchanged. */
class PlainSink {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      from += (await this.#file.write(bytes, from, bytes.length - from)).bytesWritten;
    }
  }

  async end(): Promise<void> {}

  stop(): void {}
}

/** Writes bytes compressed. */
class PackedSink {
  readonly #gzip: Gzip = createGzip();
  readonly #written: Promise<void>;
  #failure: unknown = null;

  constructor(file: FileHandle) {
    this.#written = this.#pass(new PlainSink(file));
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure === null && !this.#gzip.write(bytes)) {
      await Promise.race([once(this.#gzip, "drain").catch(() => {}), this.#written]);
    }
    this.#check();
  }

  async end(): Promise<void> {
    if (this.#failure === null) this.#gzip.end();
    await this.#written;
    this.#check();
  }

  stop(): void {
    this.#gzip.destroy();
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Never rejects. */
  async #pass(plain: PlainSink): Promise<void> {
    try {
      for await (const bytes of this.#gzip) await plain.write(bytes as Uint8Array);
    } catch (error) {
      this.#failure = error;
    }
  }
}

/** Keep a new name in a folder through a power loss, where supported. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // Not every system and file system can.
  }
}

/** Name of the backup in a file, in messages. */
export function backupName(path: string): string {
  return `the backup "${path}"`;
}

/**
 * The lines of a backup, from the first.
 *
 * @param packed true if it is compressed; by default, if its name ends in .gz
 * @throws JobError `not_found` or `invalid_argument`
 */
export function readBackup(path: string, packed = isPacked(path)): AsyncIterable<string> {
  if (!existsSync(path)) {
    throw new JobError("not_found", `Cannot read the backup "${path}": there is no such file`, {
      hint: "Name the file that jobctl store backup wrote",
    });
  }
  return linesOf(bytesOf(path, packed), backupName(path));
}

async function* bytesOf(path: string, packed: boolean): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path);
  const source = packed ? file.pipe(createGunzip()) : file;
  file.on("error", (error) => source.destroy(error));
  try {
    yield* source;
  } catch (error) {
    // An error without a system code comes from gunzip: the content is damaged.
    const code = fileErrorCode(error);
    throw new JobError(
      code === "internal" ? "invalid_argument" : code,
      `Cannot read ${backupName(path)}: ${messageOf(error)}`,
      {
        hint: code === "internal"
          ? "Take another backup; nothing was changed"
          : "Name a file that you may read; nothing was changed",
        cause: error,
      },
    );
  } finally {
    file.destroy();
  }
}
