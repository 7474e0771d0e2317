import { fileURLToPath } from "node:url";

declare const Deno: { readonly version: { readonly deno: string } } | undefined;

/** True if this code runs from the compiled file. */
function isCompiled(): boolean {
  return import.meta.url.includes("/$bunfs/") || import.meta.url.includes("/~BUN/");
}

/** Name of the runtime: "bun", "deno" or "node". */
export function runtimeName(): "bun" | "deno" | "node" {
  if (process.versions.bun) return "bun";
  return typeof Deno === "undefined" ? "node" : "deno";
}

/**
 * The argv that runs this program again; a hidden subcommand follows it.
 *
 * The compiled file runs itself. From source or a package, the runtime runs our `main` module.
 */
export function selfCommand(): readonly string[] {
  if (isCompiled()) return [process.execPath];
  // In a package, all modules lie in one folder.
  const path = import.meta.url.endsWith(".ts") ? "../../main.ts" : "./main.js";
  const main = fileURLToPath(new URL(path, import.meta.url));
  return runtimeName() === "deno"
    ? [process.execPath, "run", "-A", "--no-check", main]
    : [process.execPath, main];
}

/** Hidden subcommands by which the program runs itself. */
export const HIDDEN_COMMANDS = {
  /** A worker process; speaks over IPC. */
  worker: "__worker",
  /** Imports job modules and reports what they define. */
  describe: "__describe",
} as const;

/**
 * URL of a thread's main module, which lies beside the module that starts the thread.
 *
 * @param base `import.meta.url` of the module that starts it
 * @param name of the thread's file without its ending: .ts from source; .js in a package and in the
 *   compiled file, where it lies beside the main module
 */
export function threadUrl(base: string, name: string): URL {
  return new URL(`./${name}.${base.endsWith(".ts") ? "ts" : "js"}`, base);
}
