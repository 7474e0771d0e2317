import { pathToFileURL } from "node:url";
import { JobError } from "../../core/errors.ts";
import { handlersOf } from "../../core/job/define.ts";
import type { JobHandlers } from "../../core/job/job.ts";
import type { JobFunction } from "../../core/stored_types.ts";
import { runtimeName } from "../../platform/system/runtime.ts";
import { explainBrokenModule } from "./broken_module.ts";
import { explainMissingModule } from "./missing_module.ts";
import { readEntries } from "./module_entries.ts";

/**
 * Import a job's code into this process. A changed version is loaded again (the module itself, not
 * its imports).
 *
 * @param path absolute path of the module
 * @param entry the job's kind; it selects from an array of jobs
 * @throws JobError `not_found` if the module no longer defines the job; any error of the module
 * itself
 */
export async function importJob(
  path: string,
  entry: string,
  version: string,
): Promise<{ run: JobFunction; handlers: JobHandlers }> {
  const exported = await importDefault(path, version).catch((thrown: unknown) => {
    const missing = explainMissingModule(thrown);
    const broken = explainBrokenModule(thrown);
    if (broken !== null) throw new JobError("invalid_argument", broken.message, { cause: thrown });
    if (missing === null) throw thrown;
    throw new JobError("not_found", missing.message, { hint: missing.hint, cause: thrown });
  });
  const entries = readEntries(exported, entry);
  const found = entries.find((each) => each.kind === entry);
  if (found === undefined) {
    throw new JobError("not_found", `Cannot run job "${entry}": ${path} no longer defines it`, {
      hint: "Restart the daemon so that it reads the modules again",
    });
  }
  const { input } = found;
  return { run: (...args) => input.run(...args), handlers: handlersOf(input) };
}

/** The version of each module that this process imported first. */
const firstVersions = new Map<string, string>();

/**
 * Import a module and return its default export.
 *
 * The first version has the plain address, so that modules that import each other find the same
 * one. Later versions have the version in their address, because every runtime caches modules by
 * address.
 */
export async function importDefault(path: string, version: string): Promise<unknown> {
  const first = firstVersions.get(path) ?? version;
  firstVersions.set(path, first);
  // Bun drops the query of a file URL but keeps a path's; the others know only URLs.
  const isPlain = runtimeName() === "bun" && !/[?#%]/.test(path);
  const address = isPlain ? path : pathToFileURL(path).href;
  const module = await import(first === version ? address : `${address}?v=${version}`);
  return (module as { readonly default?: unknown }).default;
}
