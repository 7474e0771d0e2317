import { orElse } from "../../core/or_else.ts";
import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { UnitRefusal } from "../../config/backup_folder.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import { readRegularFile } from "../../platform/files/read_file.ts";
import { USER_DEFAULT } from "./service_settings.ts";
import { systemdPath } from "./systemd_unit.ts";
import { installedUnits } from "./unit_drift.ts";

const NAME = "jobctl.service";
/** The link of `systemctl enable jobctl-root`. */
const ROOT_ENABLED = "etc/systemd/system/multi-user.target.wants/jobctl-root.service";
const DROP_INS = ["usr/lib/systemd/system", "run/systemd/system", "etc/systemd/system"];
const DROP_INS_MAX = 100;
const FILE_BYTES_MAX = 1_048_576;
/** Settings that imply `NoNewPrivileges=yes` for a daemon that is not root: see systemd.exec(5). */
const WITHOUT_SETUID = [
  "NoNewPrivileges",
  "SystemCallFilter",
  "SystemCallArchitectures",
  "SystemCallLog",
  "RestrictAddressFamilies",
  "RestrictFileSystems",
  "RestrictNamespaces",
  "RestrictRealtime",
  "RestrictSUIDSGID",
  "PrivateDevices",
  "ProtectClock",
  "ProtectHostname",
  "LockPersonality",
  "ProtectKernelTunables",
  "ProtectKernelModules",
  "ProtectKernelLogs",
  "DynamicUser",
  "MemoryDenyWriteExecute",
];
/** Folders that `ProtectSystem=strict` leaves writable, or that `PrivateTmp` replaces. */
const ALWAYS = ["/dev", "/proc", "/sys", "/tmp", "/var/tmp"];
/** Settings that create a folder below another one, for the daemon's user. */
const OWN = {
  StateDirectory: "/var/lib",
  CacheDirectory: "/var/cache",
  LogsDirectory: "/var/log",
  RuntimeDirectory: "/run",
} as const;

/** The restrictions of the installed unit on its daemon. */
export interface UnitSandbox {
  readonly unit: string;
  /** The daemon's user. */
  readonly user: string;
  /** False if programs that the daemon starts get no rights by setuid or setgid. */
  readonly hasSetuid: boolean;
  /**
   * Why the daemon cannot write to a folder; null if it can.
   *
   * @param folder absolute path
   * @param dropIn name of the drop-in that opens it, without `.conf`
   */
  refusal(folder: string, dropIn: string): UnitRefusal | null;
}

/**
 * The restrictions of the unit `jobctl.service` on its daemon, by its file and drop-ins.
 *
 * @param configFile the daemon's configuration: a unit that starts another one does not count
 * @param root a folder in place of `/`
 * @returns null without a unit, if root's is enabled, or if a file of it is unreadable
 */
export function unitSandbox(configFile: string, root: string = "/"): UnitSandbox | null {
  const [unit] = installedUnits(root).filter(({ name }) => name === NAME);
  // A package brings both units with one configuration; root's may do anything.
  const isRoots = lstatSync(join(root, ROOT_ENABLED), { throwIfNoEntry: false }) !== undefined;
  if (unit === undefined || isRoots) return null;
  const texts = [unit.path, ...dropIns(root)].map(readText);
  if (texts.includes(null)) return null;
  const settings = settingsIn(texts.join("\n"));
  const last = (key: string) => settings.get(key)?.at(-1);
  if (!(settings.get("ExecStart") ?? []).includes(configFile)) return null;
  const isOff = (key: string) => /^(?:no|false|off|0)?$/i.test(last(key) ?? "");
  return {
    unit: NAME,
    user: last("User") ?? USER_DEFAULT,
    hasSetuid: WITHOUT_SETUID.every(isOff),
    refusal: (folder, dropIn) =>
      isOpen(folder, settings) ? null : { unit: NAME, remedy: openCommand(folder, dropIn) },
  };
}

function isOpen(folder: string, settings: ReadonlyMap<string, readonly string[]>): boolean {
  if (settings.get("ProtectSystem")?.at(-1) !== "strict") return true;
  const own = Object.entries(OWN).flatMap(([key, parent]) =>
    (settings.get(key) ?? []).map((name) => `${parent}/${name}`)
  );
  const named = (settings.get("ReadWritePaths") ?? []).map((path) => path.replace(/^[-+]+/, ""));
  const wanted = `${real(folder)}/`;
  return [...ALWAYS, ...own, ...named].some((path) =>
    wanted.startsWith(`${real(path)}/`.replace("//", "/"))
  );
}

function openCommand(folder: string, dropIn: string): string {
  const line = shellWord(`ReadWritePaths=${systemdPath(folder)}`);
  return [
    `{ echo "[Service]"; echo ${line}; } |`,
    `sudo install -D -m 0644 /dev/stdin /etc/systemd/system/${NAME}.d/${dropIn}.conf &&`,
    "sudo systemctl daemon-reload && sudo systemctl restart jobctl",
  ].join(" ");
}

/** Drop-ins in the order of their names; one in /etc replaces its namesakes. */
function dropIns(root: string): string[] {
  const found = new Map<string, string>();
  for (const parent of DROP_INS) {
    const folder = join(root, parent, `${NAME}.d`);
    for (const name of namesIn(folder)) {
      if (name.endsWith(".conf")) found.set(name, join(folder, name));
    }
  }
  return [...found.keys()].sort().slice(0, DROP_INS_MAX).map((name) => found.get(name)!);
}

/** The words of each setting. An empty assignment clears the earlier ones. */
function settingsIn(text: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  for (const line of text.replaceAll("\\\n", " ").split("\n")) {
    const [, key, value] = /^\s*([A-Za-z]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined) continue;
    const words = [...value!.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) =>
      (quoted ?? plain!).replaceAll("%%", "%")
    );
    settings.set(key, words.length === 0 ? [] : [...settings.get(key) ?? [], ...words]);
  }
  return settings;
}

function namesIn(folder: string): string[] {
  return orElse(() => readdirSync(folder), []);
}

function readText(path: string): string | null {
  return orElse(() => readRegularFile(path, FILE_BYTES_MAX)?.bytes.toString("utf8") ?? null, null);
}

function real(path: string): string {
  // It does not exist yet, or is hidden from this user.
  return orElse(() => realpathSync(path), path);
}
