import { orElse } from "../../core/or_else.ts";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileNote, type ImportNote } from "./crontab_reader.ts";
import type { Dialect } from "./dialect.ts";

// PAM's settings for cron's commands: the variables of pam_env, which are /etc/environment and on
// Debian the locale, and the umask of pam_umask.

/** Names of each cron's PAM service; others do not use PAM. Debian's cronie has its own name. */
const SERVICES: Readonly<Partial<Record<Dialect, readonly string[]>>> = {
  debian: ["cron"],
  cronie: ["crond", "cronie"],
};
/** Largest file that is read, in characters. */
const LENGTH_MAX = 65_536;
/** Deepest nesting of includes in PAM's files. */
const DEPTH_MAX = 4;
/** Cron sets these itself, overriding PAM. */
const SET_BY_CRON = new Set(["HOME", "LOGNAME", "USER", "SHELL", "PATH"]);

/** Variables of a host's cron, and notes about omissions. */
export interface HostEnvironment {
  readonly env: Readonly<Record<string, string>>;
  readonly notes: readonly ImportNote[];
}

/** True if a crontab is this host's own, not a copy from another: by its path, or if piped in. */
export function isOfHost(file: string): boolean {
  return file === "stdin" || /^\/(?:etc|var\/spool)\//.test(file);
}

/** Variables that this host's cron sets for all commands. @param root folder of the host's files */
export function hostEnvironment(dialect: Dialect, root = "/"): HostEnvironment {
  const service = serviceOf(dialect, root);
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

/**
 * The umask that this host's cron gives to the commands of a user, such as "002"; null if PAM
 * leaves cron's, which is 022. Users are from /etc/passwd.
 *
 * @param root folder of the host's files
 */
export function hostUmasks(dialect: Dialect, root = "/"): (user: string) => string | null {
  const service = serviceOf(dialect, root);
  const module = service === undefined
    ? undefined
    : pamLines(service, root, DEPTH_MAX).findLast((line) =>
      /^-?session\b.*\bpam_umask\.so\b/.test(line)
    );
  if (module === undefined) return () => null;
  const settings = umaskSettings(module, root);
  const table = (name: string) =>
    readText(join(root, "etc", name)).split("\n").map((line) => line.split(":"));
  const [users, groups] = [table("passwd"), table("group")];
  return (user) => {
    const [, , uid, gid, gecos = ""] = users.find(([name]) => name === user) ?? [];
    if (uid === undefined) return null;
    const hasOwnGroup = groups.some(([name, , id]) => name === user && id === gid);
    let umask = settings.umask ?? CRON_UMASK;
    // The group gets the rights of the owner: 022 becomes 002.
    if (settings.isForGroups && uid !== "0" && hasOwnGroup) {
      umask = (umask & ~0o070) | ((umask >> 3) & 0o070);
    }
    const own = gecos.split(",").map((part) => /^umask=([0-7]+)/i.exec(part)?.[1]).find(Boolean);
    if (own !== undefined) umask = parseInt(own, 8) & 0o777;
    return umask === CRON_UMASK ? null : umask.toString(8).padStart(3, "0");
  };
}

function serviceOf(dialect: Dialect, root: string): string | undefined {
  return SERVICES[dialect]?.find((name) => existsSync(join(root, "etc/pam.d", name)));
}

/** The umask of cron itself. */
const CRON_UMASK = 0o022;

/** Inputs of pam_umask, as in its manual page; USERGROUPS_ENAB counts only beside UMASK. */
function umaskSettings(module: string, root: string) {
  const defs = readText(join(root, "etc/login.defs"));
  const valueOf = (text: string, name: string) =>
    new RegExp(`^[ \\t]*${name}[ \\t=]+(\\S+)`, "m").exec(text)?.[1];
  const given = /\bumask=(\S+)/i.exec(module)?.[1];
  const defined = valueOf(defs, "UMASK");
  const found = given ?? defined ?? valueOf(readText(join(root, "etc/default/login")), "UMASK");
  const isValid = found !== undefined && /^[0-7]+/.test(found);
  const groups = given === undefined && defined !== undefined
    ? valueOf(defs, "USERGROUPS_ENAB")
    : undefined;
  const isAsked = /\busergroups\b/i.test(module) && !/\bnousergroups\b/i.test(module);
  return {
    umask: isValid ? parseInt(found, 8) & 0o777 : null,
    isForGroups: groups === undefined ? isAsked : groups.toLowerCase() === "yes",
  };
}

/** Variables in pam_env's syntax: `#` begins a comment, and outer quotes are dropped. */
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
  return orElse(() => existsSync(path) ? readFileSync(path, "utf8").slice(0, LENGTH_MAX) : "", "");
}
