import { createReadStream, createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { JobError, messageOf } from "../../core/errors.ts";
import { fileErrorCode } from "../../core/file_errors.ts";
import { PRIVATE_FILE } from "../../platform/files/private_files.ts";
import { linesOf } from "../../maintenance/backup.ts";
import { alreadyExists, notWritten } from "./written_file.ts";

/** A backup being written to a temporary file beside its path, so that it is never incomplete. */
export interface BackupWriter {
  write(bytes: Uint8Array): Promise<void>;
  /** Move it to its path. */
  end(): Promise<void>;
  /** Delete the temporary file. */
  discard(): void;
}

const isPacked = (path: string) => path.endsWith(".gz");

/**
 * Begin a backup; compressed if the path ends in .gz. Only its owner may read it.
 *
 * @throws JobError `already_exists`; as {@link fileErrorCode} if it cannot be written
 */
export async function writeBackup(
  path: string,
  options: { readonly force: boolean },
): Promise<BackupWriter> {
  if (existsSync(path) && !options.force) throw alreadyExists(path);
  const part = `${path}.part`;
  // An existing file may belong to another user or be a link.
  rmSync(part, { force: true });
  const file = createWriteStream(part, { mode: PRIVATE_FILE, flags: "wx" });
  let failure: unknown = null;
  file.on("error", (error) => failure = error);
  const closed = new Promise<void>((resolve) => file.once("close", resolve));
  await Promise.race([once(file, "open").catch(() => {}), closed]);
  if (failure !== null) throw notWritten(path, failure);
  const head = isPacked(path) ? createGzip() : null;
  head?.pipe(file);
  const sink = head ?? file;
  const discard = () => {
    file.destroy();
    rmSync(part, { force: true });
  };
  return {
    async write(bytes) {
      if (failure === null && !sink.write(bytes)) {
        await Promise.race([once(sink, "drain").catch(() => {}), closed]);
      }
      if (failure !== null) throw notWritten(path, failure);
    },
    async end() {
      sink.end();
      await finished(file).catch((error: unknown) => failure ??= error);
      if (failure !== null) throw notWritten(path, failure);
      try {
        renameSync(part, path);
      } catch (error) {
        throw notWritten(path, error);
      }
    },
    discard,
  };
}

/** Name of the backup in a file, in messages. */
export function backupName(path: string): string {
  return `the backup "${path}"`;
}

/** The lines of a backup, from the first. @throws JobError `not_found` or `invalid_argument` */
export function readBackup(path: string): AsyncIterable<string> {
  if (!existsSync(path)) {
    throw new JobError("not_found", `Cannot read the backup "${path}": there is no such file`, {
      hint: "Name the file that jobctl store backup wrote",
    });
  }
  return linesOf(bytesOf(path), backupName(path));
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path);
  const source = isPacked(path) ? file.pipe(createGunzip()) : file;
  file.on("error", (error) => source.destroy(error));
  try {
    yield* source;
  } catch (error) {
    // An error that is not the system's comes from gunzip: the content is damaged.
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
