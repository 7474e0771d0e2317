import { orElse } from "../../core/or_else.ts";
import { execFile } from "node:child_process";
import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { readRegularFile } from "../../platform/files/read_file.ts";
import { isJobError } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { originOf, serviceFile, signed } from "./service_file.ts";
import {
  CONFIG_DEFAULT,
  PACKAGED,
  PROGRAM_PATH,
  SERVICE_FILE_BYTES_MAX,
  type ServiceSettings,
  USER_DEFAULT,
} from "./service_settings.ts";
import { installCommand } from "./service_steps.ts";
import { systemdUnit } from "./systemd_unit.ts";

/** An installed unit, compared with this version's output. */
export interface UnitDrift {
  readonly path: string;
  /** The end of a sentence about it; null if it matches this version's output. */
  readonly problem: string | null;
  readonly level: "note" | "warning" | "error";
  /** The command that fixes it; null if it is fine. */
  readonly remedy: string | null;
}

const NAMES = ["jobctl.service", "jobctl-root.service"];
const WRITTEN = "etc/systemd/system";
const PACKAGE_FOLDERS = ["usr/lib/systemd/system", "lib/systemd/system"];
const OUTPUT_BYTES_MAX = 1_048_576;
const SYSTEMCTL_MS_MAX = 700;

/** An installed unit. */
interface InstalledUnit {
  readonly path: string;
  readonly name: string;
  /** True if a package installed it, false for one in /etc. */
  readonly isPackaged: boolean;
}

/** The units of this system that start a daemon. @param root a folder in place of `/` */
export function installedUnits(root: string = "/"): readonly InstalledUnit[] {
  return NAMES.flatMap((name) => {
    const find = (folder: string) => {
      const path = join(root, folder, name);
      return lstatSync(path, { throwIfNoEntry: false })?.isFile() ? path : null;
    };
    const written = find(WRITTEN);
    // /lib is a link to /usr/lib on most systems.
    const packaged = PACKAGE_FOLDERS.map(find).find((path) => path !== null) ?? null;
    return [
      ...written === null ? [] : [{ path: written, name, isPackaged: false }],
      ...packaged === null ? [] : [{ path: packaged, name, isPackaged: true }],
    ];
  });
}

/** Compare each installed unit. @param root a folder in place of `/`; then systemd is not asked */
export async function unitDrift(root: string = "/"): Promise<UnitDrift[]> {
  const units = installedUnits(root);
  const isRunning = root === "/" && existsSync("/run/systemd/system");
  return await Promise.all(units.map(async (unit) => {
    const drift = compare(unit, units);
    if (drift.problem !== null || !isRunning || !await needsReload(unit.name)) return drift;
    return {
      path: unit.path,
      problem: "was changed since systemd read it",
      level: "warning" as const,
      remedy: "sudo systemctl daemon-reload",
    };
  }));
}

function compare(
  { path, name, isPackaged }: InstalledUnit,
  units: readonly InstalledUnit[],
): UnitDrift {
  const found = (problem: string | null, remedy: string | null, level: UnitDrift["level"]) => ({
    path,
    problem,
    remedy,
    level,
  });
  const same = found(null, null, "note");
  const text = readText(path);
  if (text === null) return found("cannot be read", `ls -l ${shellWord(path)}`, "note");
  if (isPackaged) {
    // The file of the package begins with a comment about its origin.
    const unit = text.slice(Math.max(0, text.indexOf("[Unit]\n")));
    const isWanted = unit === systemdUnit({ ...PACKAGED, user: userOf(name) });
    const remedy = "sudo apt-get install --reinstall jobctl";
    return isWanted ? same : found("is of another version", remedy, "warning");
  }
  const settings = settingsOf(text, name);
  const install = installCommand({
    user: settings?.user ?? userOf(name),
    config: settings?.config ?? CONFIG_DEFAULT,
  });
  const [program] = settings?.argv ?? [];
  if (program !== undefined && !existsSync(program)) {
    return found(`starts "${program}", which does not exist`, install, "error");
  }
  const packaged = units.find((other) => other.isPackaged && other.name === name);
  if (packaged !== undefined) {
    const remedy = `sudo jobctl uninstall-service${userOf(name) === null ? " --root" : ""}`;
    return found(`hides the unit of the package, "${packaged.path}"`, remedy, "warning");
  }
  const origin = originOf(text);
  if (origin === "foreign") return same;
  if (origin === "changed") {
    const problem = "was edited, so that updates do not change it";
    return found(problem, `sudo systemctl edit ${name}, then ${install} --force`, "note");
  }
  const wanted = settings === null ? null : wantedText(settings);
  if (wanted === null || wanted === text) return same;
  return found("is not what this version writes", install, "warning");
}

function userOf(name: string): string | null {
  return name.includes("-root") ? null : USER_DEFAULT;
}

function wantedText(settings: ServiceSettings): string | null {
  try {
    return signed(serviceFile("systemd", settings).text);
  } catch (error) {
    if (!isJobError(error)) throw error;
    return null;
  }
}

/** The settings that a unit of ours was made from; null for another unit. */
function settingsOf(text: string, name: string): ServiceSettings | null {
  const words = wordsOf(valueOf(text, "ExecStart"));
  const serve = words.lastIndexOf("serve");
  if (serve < 1 || words[serve + 1] !== "--config") return null;
  const data = wordsOf(valueOf(text, "ReadWritePaths"));
  return {
    argv: words.slice(0, serve),
    config: words[serve + 2] ?? CONFIG_DEFAULT,
    user: userOf(name) && (valueOf(text, "User") || USER_DEFAULT),
    data: data[0] ?? null,
  };
}

function valueOf(text: string, key: string): string {
  return text.split("\n").find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1) ?? "";
}

/** Words of a line of a unit, as `systemdUnit` writes them. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) =>
    (quoted ?? plain!).replaceAll("%%", "%")
  );
}

function needsReload(name: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(
      "systemctl",
      ["show", "--property=NeedDaemonReload", "--value", name],
      { env: { PATH: PROGRAM_PATH }, timeout: SYSTEMCTL_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX },
      (error, stdout) => resolve(error === null && stdout.trim() === "yes"),
    );
  });
}

function readText(path: string): string | null {
  // It has gone, or this user may not read it.
  return orElse(
    () => readRegularFile(path, SERVICE_FILE_BYTES_MAX)?.bytes.toString("utf8") ?? null,
    null,
  );
}
