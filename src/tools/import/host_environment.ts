import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileNote, type ImportNote } from "./crontab_reader.ts";
import type { Dialect } from "./dialect.ts";

// The variables that pam_env sets for cron's commands: /etc/environment, on Debian the locale.

/** Each cron's PAM service name; the others do not use PAM. */
const SERVICES: Readonly<Partial<Record<Dialect, string>>> = { debian: "cron", cronie: "crond" };
/** Largest file that is read, in characters. */
const LENGTH_MAX = 65_536;
/** Deepest nesting of includes in PAM's files. */
const DEPTH_MAX = 4;
/** Cron sets these itself, whatever PAM says. */
const SET_BY_CRON = new Set(["HOME", "LOGNAME", "USER", "SHELL", "PATH"]);

/** Variables of a host's cron, and notes about what is not carried over. */
export interface HostEnvironment {
  readonly env: Readonly<Record<string, string>>;
  readonly notes: readonly ImportNote[];
}

/** True if a crontab is this host's own, not a copy from another: by its path, or if piped in. */
export function isOfHost(file: string): boolean {
  return file === "stdin" || /^\/(?:etc|var\/spool)\//.test(file);
}

/**
 * The variables that this host's cron sets for all commands.
 *
 * @param root where the host's files are
 */
export function hostEnvironment(dialect: Dialect, root = "/"): HostEnvironment {
  const service = SERVICES[dialect];
  const env: Record<string, string> = {};
  const notes: ImportNote[] = [];
  if (service === undefined) return { env, notes };
  const note = (file: string, text: string, isLoss: boolean) =>
    void notes.push(fileNote(file, text, isLoss));
  const modules = pamLines(service, root, DEPTH_MAX);
  for (const file of environmentFiles(modules)) {
    const found = readPamFile(join(root, file));
    const isCarried = ([name]: readonly [string, string]) => !SET_BY_CRON.has(name);
    Object.assign(env, Object.fromEntries(found.filter(isCarried)));
    const carried = found.filter(isCarried).map(([name]) => name);
    if (carried.length > 0) {
      note(file, `written to env of each job: ${carried.join(", ")}`, false);
    }
    const left = found.filter((one) => !isCarried(one)).map(([name]) => name);
    if (left.length > 0) {
      note(file, `left out, because cron itself sets it: ${left.join(", ")}`, false);
    }
  }
  const conf = "etc/security/pam_env.conf";
  if (modules.some(isPamEnv) && /^[A-Za-z_]/m.test(readText(join(root, conf)))) {
    note(`/${conf}`, "its variables are not carried over: copy them into env", true);
  }
  const limits = "etc/security/limits.conf";
  const hasLimits = modules.some((line) => /\bpam_limits\.so\b/.test(line));
  if (hasLimits && /^[^#\s]/m.test(readText(join(root, limits)))) {
    note(`/${limits}`, "its limits are not carried over: set limits in the job", true);
  }
  return { env, notes };
}

/** Variables as pam_env reads them: `#` begins a comment, and outer quotes are dropped. */
function readPamFile(path: string): readonly (readonly [name: string, value: string])[] {
  return readText(path).split("\n").flatMap((raw) => {
    const line = raw.split("#", 1)[0]!.trim().replace(/^export\s+/, "");
    const match = /^([A-Za-z_]\w*)=(.*)$/.exec(line);
    if (match === null) return [];
    const value = match[2]!;
    return [[match[1]!, /^["']/.test(value) ? value.slice(1).replace(/["']$/, "") : value]];
  });
}

function isPamEnv(line: string): boolean {
  return /\bpam_env\.so\b/.test(line);
}

function environmentFiles(modules: readonly string[]): readonly string[] {
  const files = modules.filter(isPamEnv).filter((line) => !/\breadenv=0\b/.test(line))
    .map((line) => /\benvfile=(\S+)/.exec(line)?.[1] ?? "/etc/environment");
  return [...new Set(files)];
}

function pamLines(service: string, root: string, depth: number): readonly string[] {
  return readText(join(root, "etc/pam.d", service)).split("\n").flatMap((raw) => {
    const line = raw.split("#", 1)[0]!.trim();
    const included = /^(?:@include|-?\w+\s+(?:include|substack))\s+([\w.-]+)$/.exec(line)?.[1];
    if (included === undefined) return [line];
    return depth > 0 ? pamLines(included, root, depth - 1) : [];
  });
}

function readText(path: string): string {
  try {
    return existsSync(path) ? readFileSync(path, "utf8").slice(0, LENGTH_MAX) : "";
  } catch {
    return "";
  }
}
