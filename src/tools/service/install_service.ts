import { spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { GRPC_PORT_DEFAULT, isLoopback } from "../../core/address.ts";
import { fileErrorCode, writeHint } from "../../core/file_errors.ts";
import { JobError, messageOf } from "../../core/errors.ts";
import { shellWord } from "../../core/text/shell_word.ts";
import type { Config } from "../../config/config.ts";
import { loadConfig } from "../../config/load_config.ts";
import { findUnwritable, makeFolderCommand } from "../../platform/files/unwritable.ts";
import { trustProblem } from "../../platform/files/trusted_path.ts";
import { isAccount, isRoot, userId } from "../../platform/system/accounts.ts";
import { originOf, type ServiceFile, serviceFile, signed } from "./service_file.ts";
import {
  CONFIG_DEFAULT,
  PROGRAM_PATH,
  SERVICE_FILE_BYTES_MAX,
  type ServiceKind,
  type ServiceSettings,
  STATE_FOLDER,
  USER_DEFAULT,
} from "./service_settings.ts";
import { installCommand, missingSteps } from "./service_steps.ts";
import { ADDRESSES_DEFAULT, socketAddresses, socketFile } from "./systemd_socket.ts";

const COMMAND_MS_MAX = 150_000;
const OUTPUT_BYTES_MAX = 1_048_576;
const USER = /^[a-z_][a-z0-9_-]{0,30}$/;
/** Listening addresses to which nobody connects. */
const ANY_HOST: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]"]);
const HIDDEN = /^\/(?:tmp|var\/tmp|run|dev|proc|sys)\//;

/** A service, and the place of its file. */
export interface ServiceTarget {
  readonly kind: ServiceKind;
  /** The daemon's user; null for root. */
  readonly user: string | null;
  /** A folder in place of the system's root: files are written below it and nothing is run. */
  readonly prefix: string | null;
  /** Change nothing and run nothing. */
  readonly isDryRun: boolean;
  /** Replace or remove a file written or changed by others. */
  readonly isForced: boolean;
  /** The file is a socket unit of systemd, which keeps the ports of the service open. */
  readonly isSocket?: boolean;
}

/** Settings for installing a service. */
export interface InstallOptions extends ServiceTarget {
  /** The program and the words before its verb. */
  readonly argv: readonly string[];
  /** The configuration; null for the default one. */
  readonly config: string | null;
  /** False: it is installed, and starts neither now nor at boot. */
  readonly isStarted: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Actions taken, or planned with `isDryRun`. */
export interface ServiceResult {
  readonly path: string;
  /** Its text; null if it was removed. */
  readonly text: string | null;
  readonly commands: readonly string[];
  /** Notes for the user, as sentences without a period. */
  readonly notes: readonly string[];
  /** Commands to run next. */
  readonly next: readonly string[];
}

/** The service manager of this system. @throws JobError `unimplemented` for one unknown to us */
export function detectKind(platform: string = process.platform): ServiceKind {
  if (platform === "darwin") return "launchd";
  if (platform === "win32") {
    throw new JobError("unimplemented", "Cannot install a service on Windows", {
      hint:
        "Let the Task Scheduler run jobctl serve: see jobctl docs install#as-a-service-on-windows",
    });
  }
  if (existsSync("/run/systemd/system")) return "systemd";
  if (existsSync("/run/openrc") || existsSync("/sbin/openrc-run")) return "openrc";
  throw new JobError(
    "unimplemented",
    "Cannot tell the service manager of this system: found no systemd, OpenRC or launchd",
    { hint: "Name it with --kind, and write its file below a folder with --prefix DIRECTORY" },
  );
}

/**
 * Write the file of a service for this program, and start it.
 *
 * @throws JobError `invalid_argument` for a user, program or configuration that cannot be used;
 * `already_exists` for a file that we did not write; `permission_denied` unless we are root
 */
export async function installService(options: InstallOptions): Promise<ServiceResult> {
  const { kind, user, prefix, isDryRun, isStarted } = options;
  const config = resolve(options.config ?? CONFIG_DEFAULT);
  const notes: string[] = [];
  const argv = options.argv.map((one) => one.startsWith("/") ? one : resolve(one));
  checkUser(options, config);
  checkConfig(options, config);
  for (const path of [...argv, config]) checkPlace(path, options);
  const loaded = await load(config, options);
  const data = loaded === null || options.isSocket
    ? null
    : dataFolder(loaded, config, options, notes);
  const settings = { argv, config, user, data };
  const file = fileOf(options, settings, loaded);
  const text = signed(file.text);
  const path = place(file, prefix);
  checkOverwrite(path, options);
  checkPackaged(file, options);
  const hasConfig = existsSync(config);
  const hasUser = prefix !== null || hasAccount(user);
  const canStart = isStarted && hasConfig && hasUser;
  const missing = [...(hasUser ? [] : [`User ${user}`]), ...(hasConfig ? [] : [config])];
  for (const one of missing) {
    notes.push(`${one} does not exist yet: the service cannot start without it`);
  }
  const commands = prefix !== null ? [] : [...file.reload, ...(canStart ? file.enable : [])];
  if (!isDryRun) {
    write(path, text, file.mode);
    run(commands);
  }
  const byHand = (file.next ?? []).map((command) => `sudo ${shown(command)}`);
  const next = missing.length === 0 || prefix !== null
    ? [...file.enable.map((command) => `sudo ${shown(command)}`), ...byHand]
    : [...missingSteps({ user, config }, kind), installCommand({ user, config })];
  return {
    path,
    text,
    notes,
    commands: commands.map(shown),
    next: canStart && prefix === null
      ? [...byHand, file.status, ...statusCommand(kind, loaded)]
      : next,
  };
}

/**
 * Stop the service that {@link installService} installed, and remove its file. Data, configuration
 * and users stay.
 *
 * @throws JobError `not_found` if it is missing; `conflict` for a file that we did not write, or
 * that was changed since, unless `isForced`
 */
export function uninstallService(target: ServiceTarget): ServiceResult {
  const { user, prefix, isDryRun, isForced } = target;
  const settings: ServiceSettings = { argv: ["/jobctl"], config: CONFIG_DEFAULT, user, data: null };
  const file = fileOf(target, settings, null);
  const path = place(file, prefix);
  const present = read(path);
  if (present === null) {
    throw new JobError("not_found", `Cannot uninstall the service: there is no "${path}"`, {
      hint: (target.isSocket ? null : otherUnit(target, settings)) ??
        "If it was installed with --root, --kind or --prefix, give the same again",
    });
  }
  const origin = originOf(present);
  if (origin !== "ours" && !isForced) {
    const found = origin === "changed"
      ? "it was changed since"
      : "install-service did not write it";
    throw new JobError("conflict", `Not removing "${path}": ${found}`, {
      hint: "Look at it, and remove it with --force",
    });
  }
  checkRoot(target);
  const commands = prefix === null ? [...file.disable, ...file.reload] : [];
  if (!isDryRun) {
    // The service may be stopped already, or was never started.
    if (prefix === null) run(file.disable, { isTolerant: true });
    rmSync(path);
    if (prefix === null) run(file.reload);
  }
  return {
    path,
    text: null,
    commands: commands.map(shown),
    notes: [`The configuration, ${STATE_FOLDER} and the user stay`],
    next: [],
  };
}

function fileOf(
  { kind, isSocket = false }: ServiceTarget,
  settings: ServiceSettings,
  loaded: Config | null,
): ServiceFile {
  if (!isSocket) return serviceFile(kind, settings);
  if (kind !== "systemd") {
    throw new JobError("unimplemented", `Cannot write a socket unit for ${kind}`, {
      hint: "Only systemd has socket units: leave --sockets out",
    });
  }
  const addresses = loaded === null ? ADDRESSES_DEFAULT : socketAddresses(loaded.server);
  return socketFile({ user: settings.user, addresses });
}

/** The remedy if only the other unit of systemd, root's or a user's, is there; else null. */
function otherUnit({ kind, prefix }: ServiceTarget, settings: ServiceSettings): string | null {
  if (kind !== "systemd") return null;
  const isRoots = settings.user === null;
  const user = isRoots ? USER_DEFAULT : null;
  const other = place(serviceFile(kind, { ...settings, user }), prefix);
  if (!existsSync(other)) return null;
  const options = [
    ...(isRoots ? [] : ["--root"]),
    ...(prefix === null ? [] : ["--prefix", shellWord(prefix)]),
  ];
  return `To remove "${other}", run: ${["jobctl uninstall-service", ...options].join(" ")}`;
}

function place({ path }: ServiceFile, prefix: string | null): string {
  return prefix === null ? path : join(resolve(prefix), path);
}

function checkRoot({ prefix, isDryRun }: ServiceTarget): void {
  if (prefix !== null || isDryRun || isRoot()) return;
  throw new JobError("permission_denied", "Cannot change the services of this system: not root", {
    hint: "Run it with sudo, or look at the file first with --dry-run",
  });
}

/** True if the user of a service is known here; root always is. */
function hasAccount(user: string | null): boolean {
  return user === null || isAccount(user);
}

function checkUser(target: ServiceTarget, config: string): void {
  const { user, kind, prefix, isDryRun } = target;
  checkRoot(target);
  if (user === null) return;
  if (!USER.test(user) || user === "root") {
    throw new JobError(
      "invalid_argument",
      `Cannot run the service as user ${JSON.stringify(user)}`,
      {
        hint: user === "root"
          ? "Give --root: its unit lets jobs run as other users"
          : "Name a user of letters, digits, dashes and underscores",
      },
    );
  }
  if (prefix !== null || isDryRun || hasAccount(user)) return;
  throw new JobError("invalid_argument", `Cannot run the service as user "${user}": no such user`, {
    hint: kind === "launchd"
      ? "Name one of your users with --user"
      : stepsHint({ user, config }, kind),
  });
}

/**
 * Refuse to install a service without a configuration, which decides the folders that the unit
 * opens. A dry run, and a file for another system, need no configuration or user.
 */
function checkConfig({ user, kind, prefix, isDryRun }: ServiceTarget, config: string): void {
  if (prefix !== null || isDryRun || existsSync(config)) return;
  throw new JobError("not_found", `Cannot install the service: there is no "${config}"`, {
    hint: stepsHint({ user, config }, kind),
  });
}

/** The hint with all missing parts, and the installation at its end. */
function stepsHint(wanted: Pick<ServiceSettings, "user" | "config">, kind: ServiceKind): string {
  return `Run: ${[...missingSteps(wanted, kind), installCommand(wanted)].join(" && ")}`;
}

/** Refuse a program or a configuration that the service cannot see, or that others can change. */
function checkPlace(path: string, { kind, user, isForced }: InstallOptions): void {
  if (kind === "systemd" && user !== null && HIDDEN.test(path)) {
    throw new JobError(
      "invalid_argument",
      `Cannot use "${path}" in a service: the unit has a private /tmp, and such a folder is emptied at boot`,
      { hint: "Copy a program to /usr/local/bin, a configuration to /etc/jobctl" },
    );
  }
  const problem = trustProblem(path);
  if (problem === null || !problem.isFatal || isForced) return;
  throw new JobError("permission_denied", `Cannot use "${path}" in a service: ${problem.message}`, {
    hint: problem.hint,
  });
}

/** The configuration of the service; null before there is one. */
async function load(config: string, { env }: InstallOptions): Promise<Config | null> {
  if (!existsSync(config)) return null;
  // A name of this shell's environment does not reach the service.
  const own = Object.entries(env).filter(([name]) => !name.startsWith("JOBCTL_"));
  return (await loadConfig(config, { env: Object.fromEntries(own) })).config;
}

/** The command that queries the daemon, with the necessary options; none if unknown. */
function statusCommand(kind: ServiceKind, loaded: Config | null): string[] {
  // On macOS there is no folder in which all users' clients look for its socket.
  if (kind === "launchd" || loaded === null) return [];
  const { host, port, socket } = loaded.server;
  const options: string[] = [];
  if (socket !== null && socket !== "auto") options.push("--socket", socket);
  else {
    if (port === 0) return [];
    if (socket === null && !isLoopback(host) && !ANY_HOST.has(host)) options.push("--host", host);
    if (port !== null && port !== GRPC_PORT_DEFAULT) options.push("--port", String(port));
  }
  return [shown(["sudo", "jobctl", "status", ...options])];
}

/** The additional folder that the unit has to open for the database. */
function dataFolder(
  { store }: Config,
  config: string,
  { user, kind, prefix }: InstallOptions,
  notes: string[],
): string | null {
  if (store.address.type !== "sqlite" || user === null) return null;
  const path = resolve(dirname(config), store.address.path);
  const folder = dirname(path);
  // Nothing creates it on macOS.
  if (kind !== "launchd" && `${folder}/`.startsWith(`${STATE_FOLDER}/`)) return null;
  const found = existsSync(folder) ? null : "it does not exist";
  const canLook = prefix === null && hasAccount(user);
  const problem = found ?? (canLook ? unwritableBy(user, path) : null);
  if (problem !== null) {
    const set = `set store.url = "sqlite:${STATE_FOLDER}/jobctl.db" in ${config}`;
    const make = `create the folder: ${makeFolderCommand(folder, user)}`;
    throw new JobError(
      "invalid_argument",
      `Cannot install the service: user "${user}" cannot write its database, "${path}": ${problem}`,
      {
        hint: found === null ? `Let the user write there, or ${set}` : `Either ${make}; or ${set}`,
      },
    );
  }
  notes.push(
    `The database is in ${folder}: user ${user} must be able to write there` +
      (kind === "systemd" ? ", and the unit allows it" : ""),
  );
  return folder;
}

/** Why a system user cannot write a database; null if writable. */
function unwritableBy(user: string, path: string): string | null {
  const found = findUnwritable(path, userId(user));
  if (found === null) return null;
  return found.why === "disk"
    ? `"${found.path}" is on a file system that is read-only`
    : `"${found.path}" is not writable for that user`;
}

/** The text of a file of a service; null if missing. */
function read(path: string): string | null {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  // A masked unit is a link to /dev/null, and a foreign link may lead anywhere.
  if (!found.isFile() || found.size > SERVICE_FILE_BYTES_MAX) return "";
  return readFileSync(path, "utf8");
}

function checkOverwrite(path: string, { isForced }: ServiceTarget): void {
  const present = read(path);
  if (present === null || isForced) return;
  const origin = originOf(present);
  if (origin === "ours") return;
  const found = origin === "changed"
    ? "it was changed since we wrote it"
    : "somebody else wrote it";
  throw new JobError("already_exists", `Not replacing "${path}": ${found}`, {
    hint: "Move your changes to a drop-in (systemctl edit), or replace the file with --force",
  });
}

/** Refuse to hide the unit of a package, whose updates would lose their effect. */
function checkPackaged({ path }: ServiceFile, { kind, prefix, isForced }: ServiceTarget): void {
  if (kind !== "systemd" || isForced) return;
  const name = basename(path);
  const packaged = join(prefix ?? "/", "usr/lib/systemd/system", name);
  if (!existsSync(packaged)) return;
  throw new JobError(
    "already_exists",
    `Not writing "${path}": a package has installed "${packaged}", and this one would hide it`,
    { hint: `Start that one: systemctl enable --now ${name}; or hide it with --force` },
  );
}

function write(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileSync(temporary, text, { flag: "wx", mode });
    if ((statSync(temporary).mode & 0o777) !== mode) throw new Error("the umask is too strict");
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new JobError(fileErrorCode(error), `Cannot write "${path}": ${messageOf(error)}`, {
      hint: writeHint(error, "Run it as root"),
      cause: error,
    });
  }
}

function run(commands: readonly (readonly string[])[], { isTolerant = false } = {}): void {
  for (const command of commands) {
    const [program, ...args] = command;
    const { status, error, stderr } = spawnSync(program!, args, {
      env: { PATH: PROGRAM_PATH },
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
      timeout: COMMAND_MS_MAX,
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    if (status === 0 || isTolerant) continue;
    const what = error === undefined ? stderr.trim() || `exit code ${status}` : messageOf(error);
    throw new JobError("internal", `Cannot run "${shown(command)}": ${what}`, {
      hint: "The file of the service was written; look at the log of the service",
    });
  }
}

function shown(command: readonly string[]): string {
  return command.map(shellWord).join(" ");
}

/** The user of a service by its options. @throws JobError `invalid_argument` if both are given */
export function serviceUser(user: string | undefined, isRootService: boolean): string | null {
  if (!isRootService) return user ?? USER_DEFAULT;
  if (user === undefined) return null;
  throw new JobError("invalid_argument", "Cannot use --user with --root: one daemon has one user", {
    hint: "Give one of them",
  });
}
