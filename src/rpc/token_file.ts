import { link, mkdir, readFile, stat, unlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { errorCode, isJobError, JobError, messageOf } from "../core/errors.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";

const TOKEN_BYTES = 32;

/**
 * Read the token of a file.
 *
 * @throws JobError `not_found` when there is no file, `unauthenticated` when it is empty or cannot be read
 */
export async function readTokenFile(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const isMissing = errorCode(error) === "ENOENT";
    throw new JobError(
      isMissing ? "not_found" : "unauthenticated",
      `Cannot read the token file "${path}": ${isMissing ? "no such file" : messageOf(error)}`,
      {
        hint: isMissing
          ? "The daemon makes it at its first start; or name another one with --token-file"
          : "Ask its owner for access, or be given a token of your own",
        cause: error,
      },
    );
  }
  const token = text.trim();
  if (token !== "") return token;
  throw new JobError("unauthenticated", `Cannot read the token file "${path}": it is empty`, {
    hint: "Delete it and restart the daemon, which makes a new one",
  });
}

/**
 * The token of `path`, made there at the first start: 32 bytes of chance, mode 0600. The file appears whole or not at all, and
 * one that is there stays.
 *
 * @throws JobError `unauthenticated` when it cannot be read, `unavailable` when it cannot be written
 */
export async function ensureTokenFile(
  path: string,
  options: { readonly random: Random; readonly logger: Logger },
): Promise<string> {
  try {
    const token = await readTokenFile(path);
    await warnWhenOpen(path, options.logger);
    return token;
  } catch (error) {
    if (!isJobError(error, "not_found")) throw error;
  }
  const token = Buffer.from(options.random.bytes(TOKEN_BYTES)).toString("base64url");
  const draft = `${path}.${Buffer.from(options.random.bytes(6)).toString("hex")}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(draft, `${token}\n`, { mode: 0o600, flush: true });
    // A link, unlike a rename, does not replace what another daemon made meanwhile.
    await link(draft, path);
    options.logger.info("made a token for clients over TCP", { path });
    return token;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return await readTokenFile(path);
    throw new JobError(
      "unavailable",
      `Cannot write the token file "${path}": ${messageOf(error)}`,
      {
        hint: "Make the folder writable, or name another file as server.auth.token_file",
        cause: error,
      },
    );
  } finally {
    await unlink(draft).catch(() => {});
  }
}

async function warnWhenOpen(path: string, logger: Logger): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return;
  logger.warn("the token file can be read by others: chmod 600 it and make a new token", { path });
}
