import { statSync } from "node:fs";
import { isWindows } from "../system/runtime.ts";

/** Change of a file: its name is gone, names another file, or is one of several. */
export type FileChange = "missing" | "replaced" | "linked";

/**
 * A file under the name by which it was opened. A process does not notice if the name of its open
 * file is removed or given to another file: everything written is lost when it closes.
 */
export class FilePlace {
  readonly path: string;
  readonly #dev: number;
  readonly #ino: number;

  /** Note the file that has this name now. @throws if it is missing */
  constructor(path: string) {
    this.path = path;
    const { dev, ino } = statSync(path);
    this.#dev = dev;
    this.#ino = ino;
  }

  /** Change of the file; null if it has its name, and no other one. */
  look(): FileChange | null {
    // There, an open file cannot be removed or renamed.
    if (isWindows()) return null;
    try {
      const { dev, ino, nlink } = statSync(this.path);
      if (dev !== this.#dev || ino !== this.#ino) return "replaced";
      return nlink > 1 ? "linked" : null;
    } catch {
      return "missing";
    }
  }
}
