import { link, mkdir, rename, unlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { writeHint } from "../../core/file_errors.ts";
import { errorCode, isJobError, JobError, messageOf } from "../../core/errors.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { type ReadFile, readRegularFile } from "../../platform/files/read_file.ts";
import { distrustError, findDistrust } from "../../platform/files/trusted_path.ts";
import { TOKEN_FILE_BYTES_MAX } from "../limits.ts";
import { checkFolder, runtimeDir } from "../socket_path.ts";

const TOKEN_BYTES = 32;
const REMEDY = "Fix or remove it, or set server.auth.token_file to another file";

/** Options of creating a token. */
export interface TokenFileOptions {
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * Read the token of a file.
 *
 * @throws JobError `not_found` if the file is missing, `unauthenticated` if it is empty or cannot
 *   be read
 */
export function readTokenFile(path: string): string {
  return readToken(path).token;
}

function readToken(path: string): { readonly token: string; readonly mode: number } {
  let found: ReadFile | null;
  try {
    found = readRegularFile(path, TOKEN_FILE_BYTES_MAX);
    if (found === null) throw new Error("it is too long for a token");
  } catch (error) {
    const isMissing = errorCode(error) === "ENOENT";
    throw new JobError(
      isMissing ? "not_found" : "unauthenticated",
      `Cannot read the token file "${path}": ${isMissing ? "no such file" : messageOf(error)}`,
      {
        hint: isMissing
          ? "The daemon makes it at its first start; or name another one with --token-file"
          : "Ask its owner for access, or for a token of your own",
        cause: error,
      },
    );
  }
  const token = found.bytes.toString("utf8").trim();
  if (token !== "") return { token, mode: found.mode };
  throw new JobError("unauthenticated", `Cannot read the token file "${path}": it is empty`, {
    hint: "Delete it and restart the daemon, which makes a new one",
  });
}

/** A token of 32 random bytes. */
export function newToken(random: Random): string {
  return Buffer.from(random.bytes(TOKEN_BYTES)).toString("base64url");
}

/**
 * The token in the configured file. The first start creates it, with mode 0600. The file appears
 * complete or not at all.
 *
 * @throws JobError `permission_denied` when others may write to it or to its folder, or may read
 * it; `unauthenticated` when it cannot be read, `unavailable` when it cannot be written
 */
export async function ensureTokenFile(path: string, options: TokenFileOptions): Promise<string> {
  try {
    return readOwnTokenFile(path);
  } catch (error) {
    if (!isJobError(error, "not_found")) throw error;
  }
  const token = newToken(options.random);
  try {
    // Unlike a rename, a link does not replace a file that another daemon has made meanwhile.
    await writeDraft(path, token, options.random, (draft) => link(draft, path));
    options.logger.info("Created a token for TCP clients", { path });
    return token;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return readOwnTokenFile(path);
    throw writeError(path, error);
  }
}

/**
 * Write a token to a file with mode 0600, replacing any existing one. The file is always complete.
 *
 * @throws JobError `permission_denied` when others may write to its folder, `unavailable` when it
 * cannot be written
 */
export async function replaceTokenFile(
  path: string,
  token: string,
  options: TokenFileOptions,
): Promise<void> {
  try {
    await writeDraft(path, token, options.random, (draft) => rename(draft, path));
    options.logger.info("Created a new token for TCP clients", { path });
  } catch (error) {
    throw writeError(path, error);
  }
}

/** Remove a token file, unless it was replaced. */
export async function removeTokenFile(path: string, token: string): Promise<void> {
  try {
    if (readTokenFile(path) === token) await unlink(path);
  } catch {
    // It is gone already, or belongs to someone else.
  }
}

/**
 * Read a token file of the daemon, which other users must not be able to read or write.
 *
 * @throws JobError as {@link ensureTokenFile}
 */
export function readOwnTokenFile(path: string): string {
  const action = `Cannot use the token file "${path}"`;
  // Kubernetes mounts secrets as links: fine if all folders on the way are ours or root's.
  const distrust = findDistrust(path, { isLinkAllowed: true });
  if (distrust && !distrust.isMissing) {
    const wanted =
      "It must belong to this user or root, and nobody else may be able to write to it";
    throw distrustError(action, distrust, `${wanted}. ${REMEDY}`);
  }
  const { token, mode } = readToken(path);
  // A group may read it: that is how users share a token.
  if ((mode & OTHERS) === 0) return token;
  throw new JobError(
    "permission_denied",
    `${action}: every user can read it (mode ${(mode & 0o777).toString(8).padStart(4, "0")})`,
    {
      hint: "Delete it to get a new token at the next start, or chmod 600 it and replace the token",
    },
  );
}

const OTHERS = 0o007;

/** Write a draft beside `path`, which `place` moves there; the folder is created with mode 0700. */
async function writeDraft(
  path: string,
  token: string,
  random: Random,
  place: (draft: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  checkFolder(folder, `Cannot use the token file "${path}"`, REMEDY);
  const draft = `${path}.${Buffer.from(random.bytes(6)).toString("hex")}.tmp`;
  try {
    await writeFile(draft, `${token}\n`, { mode: 0o600, flag: "wx", flush: true });
    await place(draft);
  } finally {
    await unlink(draft).catch(() => {});
  }
}

function writeError(path: string, error: unknown): JobError {
  if (isJobError(error)) return error;
  return new JobError(
    "unavailable",
    `Cannot write the token file "${path}": ${messageOf(error)}`,
    {
      hint: writeHint(
        error,
        dirname(path) === runtimeDir()
          ? "Make the folder writable, or set XDG_RUNTIME_DIR to a folder of your own"
          : "Make the folder writable, or set server.auth.token_file to another file",
      ),
      cause: error,
    },
  );
}
