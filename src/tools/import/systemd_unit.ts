import { Buffer } from "node:buffer";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isJobError } from "../../core/errors.ts";
import { readOwnedFile, refuseOpenFile } from "./owned_file.ts";

/** One assignment of a unit file. */
export interface UnitEntry {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly file: string;
  readonly line: number;
}

/** Adds a note about an entry of a unit. */
export type AddUnitNote = (
  entry: Pick<UnitEntry, "file" | "line">,
  text: string,
  isLoss: boolean,
) => void;

/** A unit with its drop-ins. */
export interface Unit {
  /** For example `backup.timer`, with the instance of a template. */
  readonly name: string;
  readonly file: string;
  readonly entries: readonly UnitEntry[];
  /** Owners, except root and our user, of its files and their paths. */
  readonly owners: ReadonlySet<string>;
}

/** Folders of system units, in systemd's order. */
export const UNIT_DIRECTORIES = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
];

/** The assignments of a unit file, with lines that end in a backslash joined. */
function readUnitText(text: string, file: string): UnitEntry[] {
  const entries: UnitEntry[] = [];
  let section = "";
  let begun = "";
  let first = 0;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (begun === "") first = index + 1;
    if (/^[#;]/.test(line)) continue;
    if (line.endsWith("\\")) {
      begun += `${line.slice(0, -1).trimEnd()} `;
      continue;
    }
    const whole = begun + line;
    begun = "";
    const header = /^\[(.+)\]$/.exec(whole);
    if (header !== null) section = header[1]!;
    const assignment = /^([A-Za-z0-9-]+)\s*=\s*(.*)$/.exec(whole);
    if (header === null && assignment !== null) {
      entries.push({ section, key: assignment[1]!, value: assignment[2]!, file, line: first });
    }
  }
  return entries;
}

/** `backup@home.timer` → `backup@.timer`; null if it is not an instance. */
function templateOf(name: string): string | null {
  const match = /^([^@]+@)[^@]+(\.\w+)$/.exec(name);
  return match === null ? null : match[1]! + match[2]!;
}

/** The instance in a name, such as `home` in `backup@home.timer`; may be empty. */
export function instanceOf(name: string): string {
  return /@(.*)\.\w+$/.exec(name)?.[1] ?? "";
}

/**
 * Find and read a unit and its drop-ins.
 *
 * @param directories searched in this order
 * @returns null if it is missing
 */
export function openUnit(name: string, directories: readonly string[]): Unit | null {
  const names = [name, templateOf(name)].filter((one) => one !== null);
  for (const one of names) {
    const file = fileIn(directories, one);
    if (file === undefined) continue;
    const owners = new Set<string>();
    const files = [file, ...dropIns(names, directories)];
    const entries = files.flatMap((path) => {
      const file = readOwnedFile(path);
      refuseOpenFile(path, file);
      for (const owner of file.owners) owners.add(owner);
      return readUnitText(Buffer.from(file.bytes).toString(), path);
    });
    return { name, file, entries, owners };
  }
  return null;
}

function fileIn(directories: readonly string[], name: string): string | undefined {
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/** True if a unit is masked: systemd never starts it. */
export function isMasked(name: string, directories: readonly string[]): boolean {
  const file = fileIn(directories, name);
  return file !== undefined && realpathSync(file) === "/dev/null";
}

function dropIns(names: readonly string[], directories: readonly string[]): string[] {
  const files = new Map<string, string>();
  for (const directory of directories) {
    for (const name of names) {
      const path = join(directory, `${name}.d`);
      if (!existsSync(path)) continue;
      for (const file of readdirSync(path)) {
        // The same name in an earlier directory replaces it.
        if (file.endsWith(".conf") && !files.has(file)) files.set(file, join(path, file));
      }
    }
  }
  return [...files].sort(([a], [b]) => a < b ? -1 : 1).map(([, path]) => path);
}

/** Values of a key in order; an empty assignment drops the earlier ones. */
export function valuesOf(unit: Unit, section: string, key: string): readonly UnitEntry[] {
  const all = unit.entries.filter((entry) => entry.section === section && entry.key === key);
  return all.slice(all.findLastIndex(({ value }) => value === "") + 1);
}

/** The last value of a key, or null. */
export function valueOf(unit: Unit, section: string, key: string): string | null {
  return valuesOf(unit, section, key).at(-1)?.value ?? null;
}

/** True if systemd reads a text as yes. */
export function isYes(text: string | null): boolean {
  return text !== null && /^(?:1|yes|true|on)$/i.test(text);
}

/** True if systemd reads a text as no, or as empty. */
export function isOff(text: string): boolean {
  return /^(?:no|false|off|0|)$/i.test(text);
}

/** Settings that start another unit when a service ends. */
const NOTIFYING = /^On(?:Failure|Success)$/;

/** Note each condition of a unit, and each other omitted entry. */
export function noteOthers(
  unit: Unit,
  note: AddUnitNote,
  isOther: (entry: UnitEntry) => boolean,
): void {
  for (const entry of unit.entries) {
    const { section, key, value } = entry;
    if (section === "Unit" && NOTIFYING.test(key) && value !== "") {
      const remedy = 'a channel of [notices.NAME] is notified instead (on = ["failed"])';
      note(entry, `${key}=${value} is not carried over: ${remedy}`, true);
      continue;
    }
    const isCondition = section === "Unit" && /^(?:Condition|Assert)/.test(key) && value !== "";
    if (isCondition || isOther(entry)) note(entry, `${key}=${value} is not carried over`, true);
  }
}

/** The result of `read`; null with a note if the value of an entry cannot be read. */
export function readOrNote<T>(entry: UnitEntry, note: AddUnitNote, read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!isJobError(error, "invalid_argument")) throw error;
    note(entry, error.message, true);
    return null;
  }
}

/** Name of a unit without its type: `backup` for `/x/backup.timer`. */
export function unitStem(name: string): string {
  return basename(name).replace(/\.\w+$/, "");
}

/** The directory of a unit's file, and of its target if linked, as in timers.target.wants. */
export function unitDirectories({ file }: Unit): readonly string[] {
  return [...new Set([dirname(file), dirname(realpathSync(file))])];
}
