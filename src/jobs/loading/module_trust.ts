import type { Stats } from "node:fs";
import { dirname, join } from "node:path";
import type { Account } from "../../platform/system/accounts.ts";
import {
  type Distrust,
  type TrustProblem,
  trustProblem,
} from "../../platform/files/trusted_path.ts";
import type { ModuleFile } from "./find_modules.ts";

/** Names that a runtime looks up in every folder above a module. */
const BESIDE = ["node_modules", "package.json"];

/**
 * Checks whether other users can change what a module is made of. Used for one load of all modules.
 */
export class ModuleTrust {
  readonly #looked = new Map<string, Stats | Distrust>();

  /**
   * The problem with a module, its relative imports, or the place of its packages; null if there is
   * none.
   *
   * @param account that its code runs as; files of that user are trusted, as it could do the same
   * anyway
   */
  problemOf({ path, hashes }: ModuleFile, { uid }: Account): TrustProblem | null {
    const options = { looked: this.#looked, owners: uid === undefined ? [] : [uid] };
    for (const file of new Set([path, ...hashes.keys()])) {
      const problem = trustProblem(file, options);
      if (problem !== null) return problem;
    }
    for (let folder = dirname(path);; folder = dirname(folder)) {
      for (const name of BESIDE) {
        const problem = trustProblem(join(folder, name), options);
        if (problem !== null) return problem;
      }
      if (folder === dirname(folder)) return null;
    }
  }
}
