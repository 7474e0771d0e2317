import { fileURLToPath } from "node:url";
import { JobError } from "../../core/errors.ts";

declare const Deno: { readonly version: { readonly deno: string } } | undefined;

/** True if this code runs from the compiled file. On Windows its path is `B:\\~BUN`. */
function isCompiled(): boolean {
  return /\/(?:\$bunfs|~BUN|%7EBUN)\//.test(import.meta.url);
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
  /** Runs commands; speaks over IPC. */
  supervisor: "__supervisor",
  /** Imports job modules and reports their definitions. */
  describe: "__describe",
  /** Answers a shell that completes a command line. */
  complete: "__complete",
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

/** True on Windows, which has no process groups, signals, Unix sockets or file modes. */
export function isWindows(): boolean {
  return process.platform === "win32";
}

/**
 * Refuse on Windows what needs process groups and signals.
 *
 * @param action beginning of the message, such as "Cannot run a command"
 * @throws JobError `unimplemented`
 */
export function refuseOnWindows(action: string): void {
  if (!isWindows()) return;
  const reason = "it needs process groups and signals, which Windows does not have";
  throw new JobError("unimplemented", `${action} on Windows: ${reason}`, {
    hint: "Run it on Linux or macOS; from here, --host reaches a daemon there",
  });
}

// Job code may replace it.
const cpuUsage = process.cpuUsage.bind(process);

/** Processor time that this process has used, of user and system, in milliseconds. */
export function spentMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1_000;
}
