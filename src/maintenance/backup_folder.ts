import { constants, type Stats } from "node:fs";
import { access, lstat, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { errorCode, JobError, messageOf } from "../core/errors.ts";
import { countText } from "../core/text/count_text.ts";
import type { BackupSettings } from "../core/settings/backup_settings.ts";
import { shellWord } from "../core/text/shell_word.ts";
import { distrustError, findDistrust } from "../platform/files/trusted_path.ts";
import { checkBackup } from "./backup.ts";
import { type BackupWriter, readBackup, writeBackupFile } from "./backup_file.ts";
import type { Content } from "./content.ts";
import type { BackupFolderContext, StoreStep } from "./step.ts";

/** Characters of a store's id in the names of its backups. */
const ID_CHARS = 8;

/**
 * Write a backup to a new file of a folder, verify it, and then delete the oldest ones of the same
 * store.
 *
 * The name contains the store and the start time, so a folder may hold backups of several stores,
 * and other files: only files with this form of name, owned by this process's user, are ever
 * deleted. Leftovers of a killed backup are deleted first.
 *
 * @param steps of a backup
 * @returns path of the file
 * @throws JobError `not_found` without the folder, `permission_denied` if other users can write to
 * it, `resource_exhausted` on a full disk, `internal` if the file differs from the written data
 */
export async function backUpToFolder(
  steps: AsyncIterable<StoreStep>,
  { path: folder, keep }: Pick<BackupSettings, "path" | "keep">,
  { nowMs, log }: BackupFolderContext,
): Promise<string> {
  await checkFolder(folder);
  let file: BackupFile | null = null;
  let writer: BackupWriter | null = null;
  let content: Content | null = null;
  try {
    for await (const step of steps) {
      if (step.type === "report") content = step.report as unknown as Content;
      if (step.type !== "chunk") continue;
      if (writer === null) {
        file = new BackupFile(folder, storeIdIn(step.bytes), nowMs);
        await removeLeftovers(file, log);
        writer = await writeBackupFile(file.path, file.part);
      }
      await writer.write(step.bytes);
    }
    if (file === null || writer === null || content === null) throw new Error("It had no end");
    const { path, part } = file;
    const wanted = content;
    const bytes = await writer.end(() => checkFile(part, wanted));
    writer = null;
    const instances = countText(content.counts.instance ?? 0, "instance");
    log("info", `Wrote and verified "${path}": ${instances}, ${countText(bytes, "byte")}`);
    await removeOld(file, keep, log);
    return path;
  } finally {
    await writer?.discard();
  }
}

/** The names of one backup of a store, and of its siblings. */
class BackupFile {
  readonly folder: string;
  readonly name: string;
  readonly #prefix: string;

  constructor(folder: string, storeId: string, nowMs: number) {
    this.folder = folder;
    this.#prefix = `jobctl-${storeId.slice(0, ID_CHARS)}-`;
    const time = new Date(nowMs).toISOString().replaceAll(/[-:]/g, "");
    this.name = `${this.#prefix}${time}.jsonl.gz`;
  }

  get path(): string {
    return join(this.folder, this.name);
  }

  get part(): string {
    return join(this.folder, `.${this.name}.part`);
  }

  /** True if a file has the name of a backup of this store. */
  isBackup(name: string): boolean {
    if (!name.startsWith(this.#prefix)) return false;
    return /^\d{8}T\d{6}\.\d{3}Z\.jsonl\.gz$/.test(name.slice(this.#prefix.length));
  }

  /** True if a file has the name of an unfinished backup. */
  isPart(name: string): boolean {
    return name.startsWith(".") && name.endsWith(".part") && this.isBackup(name.slice(1, -5));
  }
}

/** The store's id, from the first line of a backup. */
function storeIdIn(first: Uint8Array): string {
  const text = new TextDecoder().decode(first);
  const { storeId } = JSON.parse(text.slice(0, text.indexOf("\n"))) as {
    readonly storeId: unknown;
  };
  if (typeof storeId === "string" && /^[\w-]{1,128}$/.test(storeId)) return storeId;
  // A server holds it, and "../" would lead out of the folder.
  throw new JobError("invalid_argument", `Cannot back up: its id is not that of a store`, {
    hint: "Other users may write to the store: look who changed its id",
  });
}

/** Refuse a folder that is missing, or that other users can change. */
async function checkFolder(path: string): Promise<void> {
  const action = `Cannot back up to "${path}"`;
  const found = await stat(path).catch(() => null);
  if (found !== null && !found.isDirectory()) {
    throw new JobError("invalid_argument", `${action}: it is not a folder`, {
      path: "store.backup.path",
      hint: "Name a folder",
    });
  }
  const distrust = findDistrust(path, { isLinkAllowed: true });
  if (found === null && (distrust === null || distrust.isMissing)) {
    throw new JobError("not_found", `${action}: there is no such folder`, {
      path: "store.backup.path",
      hint: `Make it, for the daemon's user only: install -d -m 0700 ${shellWord(path)}`,
    });
  }
  if (distrust === null) return await checkWritable(path, action);
  throw distrustError(action, distrust, distrust.remedy ?? "Name a folder of the daemon's user");
}

/** Refuse a folder that is read-only. The message has the remedy, because runs show no hints. */
async function checkWritable(path: string, action: string): Promise<void> {
  const code = await access(path, constants.W_OK).then(() => null, errorCode);
  if (code !== "EROFS") return;
  const remedy = `add ReadWritePaths=${path} to the unit, and restart it`;
  throw new JobError("permission_denied", `${action}: it is read-only for the daemon: ${remedy}`, {
    path: "store.backup.path",
    hint: "Open it with: systemctl edit jobctl",
  });
}

/** Read a backup from its file again, from the first line to the last. */
async function checkFile(path: string, wanted: Content): Promise<void> {
  let problem: string;
  try {
    const { end } = await checkBackup(readBackup(path, true), `the backup "${path}"`);
    if (end.hash === wanted.hash) return;
    problem = "it is another backup";
  } catch (error) {
    problem = messageOf(error);
  }
  throw new JobError("internal", `Cannot verify "${path}": ${problem}`, {
    hint: "Check the disk; the earlier backups are still there",
  });
}

/** Remove leftovers of this store's killed backups. */
async function removeLeftovers(file: BackupFile, log: BackupFolderContext["log"]): Promise<void> {
  for (const name of await namesIn(file.folder)) {
    if (!file.isPart(name)) continue;
    if (await remove(join(file.folder, name), log)) {
      log("warn", `Removed "${join(file.folder, name)}", which an interrupted backup left`);
    }
  }
}

async function removeOld(
  file: BackupFile,
  keep: number,
  log: BackupFolderContext["log"],
): Promise<void> {
  // If the clock went back there are later ones; the new one stays anyway.
  const others = (await namesIn(file.folder)).filter((name) =>
    file.isBackup(name) && name !== file.name
  );
  for (const name of others.sort().reverse().slice(keep - 1)) {
    const path = join(file.folder, name);
    if (await remove(path, log)) log("info", `Removed the old backup "${path}"`);
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    throw new JobError("permission_denied", `Cannot list "${folder}": ${messageOf(error)}`, {
      path: "store.backup.path",
      hint: "Let the daemon's user read the folder",
    });
  }
}

/** Delete a file of this process's user. @returns false, with a warning, on failure */
async function remove(path: string, log: BackupFolderContext["log"]): Promise<boolean> {
  try {
    const found = await lstat(path);
    const problem = notOurs(found);
    if (problem === null) {
      await rm(path);
      return true;
    }
    log("warn", `Did not remove "${path}": ${problem}`);
  } catch (error) {
    log("warn", `Cannot remove "${path}": ${messageOf(error)}`);
  }
  return false;
}

function notOurs(found: Stats): string | null {
  if (!found.isFile()) return "it is not a regular file";
  const own = process.getuid?.();
  return own === undefined || found.uid === own ? null : "it belongs to another user";
}
