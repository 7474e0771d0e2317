import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { errorCode, isJobError, JobError, messageOf } from "../../core/errors.ts";
import { isKindPattern, PATTERNS_MAX } from "../../core/job/job_scope.ts";
import { fileErrorCode, writeHint } from "../../core/file_errors.ts";
import { readRegularFile } from "./read_file.ts";
import { asOwner } from "./private_files.ts";
import { distrustError, findDistrust } from "./trusted_path.ts";
import { type User, withRightsOf } from "../system/user_rights.ts";
import { shellWord } from "../../core/text/shell_word.ts";

/** Roles of callers, lowest first; each includes the ones before it. */
export const ROLES = ["viewer", "operator", "admin"] as const;

/** One of {@link ROLES}. */
export type Role = typeof ROLES[number];

/** A token entry, without the token itself. */
export interface TokenEntry {
  /** Identifies it in messages. */
  readonly name: string;
  readonly role: Role;
  /** Result of {@link hashToken}. */
  readonly hash: string;
  /** Kinds, or patterns of kinds, that it is limited to; null for all. */
  readonly jobs: readonly string[] | null;
  /** Epoch ms; null for never. */
  readonly expiresAt: number | null;
}

/** An entry of a tokens file. */
export interface StoredToken extends TokenEntry {
  readonly createdAt: number;
}

/** Format of a token hash, for messages. */
export const HASH_WANTED = '"sha256:" and 64 hexadecimal digits';

const FILE_BYTES_MAX = 4 * 1024 * 1024;
/** Each received token is compared with all of them. */
const TOKENS_MAX = 1_000;
const NAME = /^[A-Za-z0-9._:@-]{1,100}$/;
/** An older draft was left behind by a killed program. */
const STALE_DRAFT_MS = 30_000;

/** The stored hash of a token. SHA-256 suffices because tokens are long and random. */
export function hashToken(token: string): string {
  return `sha256:${createHash("sha256").update(token).digest("hex")}`;
}

/** True if a text has the format of {@link hashToken}. */
export function isTokenHash(text: unknown): text is string {
  return typeof text === "string" && /^sha256:[0-9a-f]{64}$/.test(text);
}

/** True if a text is a valid token name. */
export function isTokenName(text: unknown): text is string {
  return typeof text === "string" && NAME.test(text);
}

/** Format of a token name, for messages. */
export const TOKEN_NAME_WANTED = '1 to 100 letters, digits, ".", "_", ":", "@" or "-"';

/**
 * Read a tokens file.
 *
 * @returns an empty list if there is no file
 * @throws JobError `permission_denied` if others can read or write it, `invalid_config` if it is
 * not a tokens file
 */
export function readTokensFile(path: string): readonly StoredToken[] {
  const distrust = findDistrust(path, {
    isLinkAllowed: true,
    owners: editors(path).map(({ uid }) => uid),
  });
  if (distrust?.isMissing) return [];
  if (distrust) {
    const hint = "It must belong to this user or root, and nobody else may be able to write to it";
    throw distrustError(`Cannot use the tokens file "${path}"`, distrust, hint);
  }
  let found: ReturnType<typeof readRegularFile>;
  try {
    found = readRegularFile(path, FILE_BYTES_MAX);
  } catch (error) {
    // On systems without file owners, nothing has looked for the file before.
    if (errorCode(error) === "ENOENT") return [];
    throw refuse(path, messageOf(error));
  }
  if (found === null) throw refuse(path, `it has more than ${FILE_BYTES_MAX} bytes`);
  if ((found.mode & 0o077) !== 0) {
    const shown = (found.mode & 0o777).toString(8).padStart(4, "0");
    throw new JobError(
      "permission_denied",
      `Cannot use the tokens file "${path}": other users can read it (mode ${shown})`,
      { hint: `Make it private: ${asOwner(`chmod 600 ${shellWord(path)}`, path)}` },
    );
  }
  return parse(found.bytes.toString("utf8"), path);
}

/**
 * Change a tokens file: it is read, changed and rewritten as a whole, by one program at a time. The
 * file and its folder are created with modes 0600 and 0700. If the folder belongs to another user,
 * such as the daemon's, root works with that user's rights, so that a planted link reaches nothing
 * that its creator could not reach.
 *
 * @throws JobError as {@link readTokensFile}; `conflict` while another program changes it,
 * as {@link fileErrorCode} when it cannot be written
 */
export function changeTokensFile(
  path: string,
  options: {
    readonly nowMs: number;
    readonly change: (tokens: readonly StoredToken[]) => readonly StoredToken[];
  },
): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw writeError(path, error);
  }
  const [editor] = editors(path);
  withRightsOf(editor ?? null, () => writeTokensFile(path, options));
}

function writeTokensFile(
  path: string,
  { nowMs, change }: Parameters<typeof changeTokensFile>[1],
): void {
  const draft = `${path}.new`;
  let file: number;
  try {
    file = lock(draft, nowMs);
  } catch (error) {
    throw writeError(path, error);
  }
  try {
    // By descriptor: another file may have its name by now.
    writeFileSync(file, format(change(readTokensFile(path))));
    fsyncSync(file);
    renameSync(draft, path);
  } catch (error) {
    unlinkSync(draft);
    throw writeError(path, error);
  } finally {
    closeSync(file);
  }
}

/** The user whose rights root uses to edit the file: the owner of its folder. */
function editors(path: string): readonly User[] {
  if (process.getuid?.() !== 0) return [];
  try {
    const { uid, gid } = lstatSync(dirname(path));
    return uid === 0 ? [] : [{ uid, gid }];
  } catch {
    return [];
  }
}

/** Create the draft, which only one program can, so that no change is lost. @returns descriptor */
function lock(draft: string, nowMs: number): number {
  const make = () => openSync(draft, "wx", 0o600);
  try {
    return make();
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    if (nowMs - lstatSync(draft).mtimeMs < STALE_DRAFT_MS) {
      throw new JobError("conflict", `Cannot change the tokens: "${draft}" is being written`, {
        hint: "Another jobctl is changing them: try again in a moment",
      });
    }
    unlinkSync(draft);
    return make();
  }
}

function writeError(path: string, error: unknown): JobError {
  if (isJobError(error)) return error;
  return new JobError(
    fileErrorCode(error),
    `Cannot write the tokens file "${path}": ${messageOf(error)}`,
    { hint: writeHint(error, "Run it as root or as the daemon's user"), cause: error },
  );
}

function refuse(path: string, problem: string): JobError {
  return new JobError("invalid_config", `Cannot read the tokens file "${path}": ${problem}`, {
    hint: "Edit it only with jobctl token; restore it, or delete it and make new tokens",
  });
}

function format(tokens: readonly StoredToken[]): string {
  const entries = tokens.map(({ name, role, hash, jobs, createdAt, expiresAt }) => ({
    name,
    role,
    hash,
    jobs: jobs ?? undefined,
    created: new Date(createdAt).toISOString(),
    expires: expiresAt === null ? undefined : new Date(expiresAt).toISOString(),
  }));
  return `${JSON.stringify({ version: 1, tokens: entries }, null, 2)}\n`;
}

function parse(text: string, path: string): readonly StoredToken[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse(path, "it is not JSON");
  }
  const { version, tokens } = (value ?? {}) as { version?: unknown; tokens?: unknown };
  if (version !== 1 || !Array.isArray(tokens)) throw refuse(path, "it is not a list of tokens");
  if (tokens.length > TOKENS_MAX) {
    throw refuse(path, `${tokens.length} tokens, at most ${TOKENS_MAX}`);
  }
  return tokens.map((entry, index) => {
    const token = parseEntry(entry);
    if (token === null) throw refuse(path, `entry ${index + 1} is not a valid token`);
    return token;
  });
}

/** An entry, or null. An unknown field might restrict the token, so it makes the file invalid. */
function parseEntry(entry: unknown): StoredToken | null {
  if (typeof entry !== "object" || entry === null) return null;
  const { name, role, hash, jobs, created, expires, ...rest } = entry as Record<string, unknown>;
  if (Object.keys(rest).length > 0 || !isTokenName(name) || !isTokenHash(hash)) return null;
  const known = ROLES.find((each) => each === role);
  const createdAt = timeOf(created);
  const expiresAt = expires === undefined ? null : timeOf(expires);
  if (known === undefined || createdAt === undefined || expiresAt === undefined) return null;
  if (jobs !== undefined && !isJobs(jobs)) return null;
  return { name, role: known, hash, jobs: jobs ?? null, createdAt, expiresAt };
}

function isJobs(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.length <= PATTERNS_MAX &&
    value.every(isKindPattern);
}

function timeOf(value: unknown): number | undefined {
  const at = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? undefined : at;
}
