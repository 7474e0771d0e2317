import { existsSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";

// Differences between cron daemons in reading the same text. Measured on Debian 13's cron
// 3.0pl1-197, cronie 1.7.2 and busybox 1.37, and taken from supercronic's source.

/** The cron daemons whose crontabs can be read. Each is read by its own rules. */
export const DIALECTS = ["debian", "cronie", "busybox", "supercronic"] as const;

/** One of {@link DIALECTS}. */
export type Dialect = (typeof DIALECTS)[number];

/** The points in which cron daemons differ. */
export interface DialectRules {
  /** Its name in messages. */
  readonly program: string;
  /** Effect of an unreadable line on its file, in words; null if only the line is lost. */
  readonly fileRefusal: string | null;
  /** True if a last line without a newline is refused. */
  readonly wantsLastNewline: boolean;
  /** True if a CR at the end of a line is part of it. */
  readonly keepsCr: boolean;
  /** True if `%` ends the command. */
  readonly hasPercent: boolean;
  /** True if CRON_TZ sets the zone. */
  readonly hasZone: boolean;
  /** True if RANDOM_DELAY delays runs. */
  readonly hasDelay: boolean;
  /** True if `-` before a line and `-n` before a command are options. */
  readonly hasOptions: boolean;
  /** Assignments that apply: those above a line, all of the file, or only SHELL and PATH. */
  readonly variables: "above" | "file" | "few";
  /** True if it reads a file of this name in /etc/cron.d, or in the users' folder. */
  readonly takesName: (name: string, folder: "system" | "users") => boolean;
  /** True if it reads /etc/crontab and /etc/cron.d. */
  readonly hasSystemCrontabs: boolean;
  /** True if a run starts even if the previous one is unfinished. */
  readonly isOverlapping: boolean;
  /** Bits of a file's mode that it refuses in /etc. */
  readonly systemModes: number;
  /** Bits of a file's mode that it refuses in the folder of users' crontabs. */
  readonly userModes: number;
  /** PATH of commands if the crontab sets none; null for /usr/bin:/bin, or if unknown. */
  readonly path: string | null;
  /** The longest command, in characters; the rest is cut. */
  readonly commandMax: number;
  /** The most lines of a file. */
  readonly linesMax: number;
}

const VIXIE = {
  wantsLastNewline: true,
  keepsCr: true,
  hasPercent: true,
  variables: "above",
  hasSystemCrontabs: true,
  isOverlapping: true,
} as const;

/** Rules that busybox crond and supercronic share: both run in containers. */
const CONTAINER = {
  fileRefusal: null,
  wantsLastNewline: false,
  hasPercent: false,
  hasDelay: false,
  hasOptions: false,
  hasSystemCrontabs: false,
  isOverlapping: false,
  systemModes: 0,
  userModes: 0,
  commandMax: Infinity,
  linesMax: Infinity,
} as const;

/** The rules of each dialect. */
export const DIALECT_RULES: Readonly<Record<Dialect, DialectRules>> = {
  debian: {
    ...VIXIE,
    program: "Debian's cron",
    fileRefusal: "Debian's cron ignores a whole file with such a line",
    takesName: (name, folder) =>
      folder === "system" ? /^[A-Za-z0-9_-]+$/.test(name) : !name.startsWith("."),
    hasZone: false,
    hasDelay: false,
    hasOptions: false,
    systemModes: 0o022,
    userModes: 0o177,
    path: null,
    commandMax: 998,
    linesMax: 10_000,
  },
  cronie: {
    ...VIXIE,
    program: "cronie",
    fileRefusal: null,
    takesName: (name) => !/^[.#]|~$|.\.rpm(?:save|orig|new)$/.test(name),
    hasZone: true,
    hasDelay: true,
    hasOptions: true,
    systemModes: 0o7133,
    userModes: 0o7133,
    path: "/usr/bin:/bin:/usr/sbin:/sbin",
    commandMax: Infinity,
    linesMax: Infinity,
  },
  busybox: {
    ...CONTAINER,
    program: "busybox crond",
    takesName: (name) => !name.includes("."),
    keepsCr: true,
    hasZone: false,
    variables: "few",
    // Its jobs inherit its own PATH at start; containers and systemd set this one.
    path: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  },
  supercronic: {
    ...CONTAINER,
    program: "supercronic",
    takesName: (name) => !name.startsWith("."),
    fileRefusal: "supercronic does not start with such a line",
    keepsCr: false,
    hasZone: true,
    variables: "file",
    path: null,
  },
};

const PROGRAM_FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/usr/local/sbin", "/usr/local/bin"];

function findProgram(name: string, root: string): string | null {
  const paths = PROGRAM_FOLDERS.map((folder) => join(root, folder, name));
  return paths.find((path) => existsSync(path)) ?? null;
}

/** The dialect of this host's cron, or its distribution's. @param root folder of host files */
export function guessDialect(root = "/"): Dialect {
  if (findProgram("cron", root) !== null) return "debian";
  const crond = findProgram("crond", root);
  if (crond !== null) return basename(realpathSync(crond)) === "busybox" ? "busybox" : "cronie";
  if (findProgram("supercronic", root) !== null) return "supercronic";
  if (existsSync(join(root, "/etc/debian_version"))) return "debian";
  return existsSync(join(root, "/etc/alpine-release")) ? "busybox" : "cronie";
}
