import { existsSync } from "node:fs";
import { type BackupWriter, writeBackupFile } from "../../maintenance/backup_file.ts";
import { alreadyExists } from "../parsing/written_file.ts";

/**
 * Begin a backup at a path that the user named.
 *
 * @throws JobError `already_exists` without `force`; else like `writeBackupFile`
 */
export async function writeBackup(
  path: string,
  options: { readonly force: boolean },
): Promise<BackupWriter> {
  if (existsSync(path) && !options.force) throw alreadyExists(path);
  return await writeBackupFile(path, `${path}.part`);
}
