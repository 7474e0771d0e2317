import type { Stats } from "node:fs";
import { dirname, join } from "node:path";
import type { Account } from "../platform/accounts.ts";
import { type Distrust, type TrustProblem, trustProblem } from "../platform/trusted_path.ts";
import type { ModuleFile } from "./find_modules.ts";

/** What a runtime looks for in every folder above a module. */
const BESIDE = ["node_modules", "package.json"];

/** Tells whether others may change what a module is made of; one for each load of all modules. */
export class ModuleTrust {
  readonly #looked = new Map<string, Stats | Distrust>();

  /**
   * What is wrong with a module, what it imports by relative path, or where its packages come from; null for nothing.
   *
   * @param account under which its code runs: its own files are no more than it may do anyway
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
