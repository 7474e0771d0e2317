import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder of one test. */
export interface TempDir {
  readonly path: string;
  /** Write a file, with its folders; gives its path. */
  write(name: string, content: string | Uint8Array): string;
}

/** Run `body` with a folder that holds `files` and is removed afterwards. */
export async function withTempDir<T>(
  files: Readonly<Record<string, string | Uint8Array>>,
  body: (dir: TempDir) => Promise<T> | T,
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), "ts-job-test-"));
  const dir: TempDir = {
    path: root,
    write(name, content) {
      const path = join(root, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      return path;
    },
  };
  try {
    for (const [name, content] of Object.entries(files)) dir.write(name, content);
    return await body(dir);
  } finally {
    removeFolder(root);
  }
}

/** Bun leaves the rest if a supervisor that ends removes something in it meanwhile. */
export function removeFolder(path: string): void {
  for (let tries = 0; tries < 5 && existsSync(path); tries++) {
    rmSync(path, { recursive: true, force: true });
  }
}
