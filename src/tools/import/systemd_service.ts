import { orElse } from "../../core/or_else.ts";
import { groupId, isAccount, userName } from "../../platform/system/accounts.ts";
import { Buffer } from "node:buffer";
import { formatDuration } from "../../core/time/duration.ts";
import { readAssignments } from "../../core/text/environment_text.ts";
import { IO_PRIORITY } from "../../core/job/job.ts";
import { isJobError } from "../../core/errors.ts";
import type { JobDraft } from "./job_toml.ts";
import { readOwnedFile } from "./owned_file.ts";
import { variableProblem } from "./crontab_lines.ts";
import { readTimeSpan } from "./systemd_calendar.ts";
import {
  fillSpecifiers,
  readUnitCommand,
  type Specifiers,
  splitUnitWords,
  type UnitCommand,
} from "./systemd_command.ts";
import {
  type AddUnitNote,
  instanceOf,
  isOff,
  noteOthers,
  readOrNote,
  type Unit,
  type UnitEntry,
  unitStem,
  valueOf,
  valuesOf,
} from "./systemd_unit.ts";

/** The part of a job that its service determines. */
export type ServiceDraft = Omit<
  JobDraft,
  "kind" | "origin" | "schedule" | "timezone" | "overlap" | "unique" | "misfire" | "jitter"
>;

/** systemd's default PATH for system services. */
const PATH_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";
/** systemd's default of TimeoutStopSec=. */
const KILL_AFTER_DEFAULT = "90s";
/** Keys that are carried over, or have no effect on a job that ends. */
const SERVICE_KEYS = new Set(
  ("Type ExecStart ExecStartPre ExecStartPost User Group WorkingDirectory Environment EnvironmentFile UMask Nice " +
    "TimeoutStartSec TimeoutStopSec TimeoutSec RuntimeMaxSec SuccessExitStatus SyslogIdentifier RemainAfterExit KillMode LimitNOFILE IOSchedulingClass IOSchedulingPriority")
    .split(" "),
);
/** Names of exit codes from sysexits.h, beginning at 64. */
const EXIT_NAMES =
  ("USAGE DATAERR NOINPUT NOUSER NOHOST UNAVAILABLE SOFTWARE OSERR OSFILE CANTCREAT IOERR TEMPFAIL " +
    "PROTOCOL NOPERM CONFIG").split(" ");
/** Sandbox settings of a service, without an effect here. */
const SANDBOX_KEYS = new RegExp(
  "^(?:DynamicUser|Protect\\w+|Private\\w+|Restrict\\w+|SystemCall\\w+|IPAddress\\w+|(?:ReadOnly|ReadWrite|" +
    "Inaccessible|Exec|NoExec|Bind|BindReadOnly)Paths|TemporaryFileSystem|CapabilityBoundingSet|AmbientCapabilities|" +
    "NoNewPrivileges|SecureBits|Root(?:Directory|Image|Hash)|MemoryDenyWriteExecute|LockPersonality|NetworkNamespacePath|" +
    "DevicePolicy|DeviceAllow|ProcSubset|SELinuxContext|AppArmorProfile|SmackProcessLabel)$",
);
/** Values that `limits.open_files` accepts. */
const OPEN_FILES = { min: 64, max: 1_048_576 };
/** Longest list of settings in the reason why a job is disabled, in characters. */
const REASON_MAX = 200;
const PLAIN_TYPES = ["oneshot", "simple", "exec"];
const HARMLESS_OUTPUT = /^(?:journal|inherit|null|syslog|journal\+console|tty)$/;

function specifiersOf(unit: Unit): Specifiers {
  const stem = unitStem(unit.name);
  const instance = instanceOf(unit.name);
  return {
    n: unit.name,
    N: stem,
    p: stem.replace(/@.*$/, ""),
    i: instance,
    I: instance.replaceAll("-", "/").replaceAll(
      /\\x([0-9a-f]{2})/g,
      (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)),
    ),
    t: "/run",
    S: "/var/lib",
    C: "/var/cache",
    L: "/var/log",
    E: "/etc",
    T: "/tmp",
    V: "/var/tmp",
  };
}

/** True if the system has a user of this name or number. */
function hasUser(name: string): boolean {
  return isAccount(name) || /^\d{1,9}$/.test(name) && userName(Number(name)) !== name;
}

/** The variables that a file sets now, if readable. */
function namesIn(file: string): readonly string[] {
  try {
    const { bytes } = readOwnedFile(file.replace(/^-/, ""));
    return Object.keys(readAssignments(Buffer.from(bytes).toString()));
  } catch {
    return [];
  }
}

function cutAtWord(text: string): string {
  if (text.length <= REASON_MAX) return text;
  const words = text.slice(0, REASON_MAX + 1).replace(/\s+\S*$/, "");
  return `${words.slice(0, REASON_MAX)} …`;
}

function isOther({ section, key, value }: UnitEntry): boolean {
  // A disabled setting loses nothing.
  if (section !== "Service" || isOff(value)) return false;
  if (key === "Type") return !PLAIN_TYPES.includes(value);
  const isOutput = /^Standard(?:Output|Error|Input)$/.test(key) && HARMLESS_OUTPUT.test(value);
  return !SERVICE_KEYS.has(key) && !isOutput && !SANDBOX_KEYS.test(key);
}

class ServiceReader {
  readonly #unit: Unit;
  readonly #note: AddUnitNote;
  readonly #specifiers: Specifiers;

  constructor(unit: Unit, note: AddUnitNote) {
    this.#unit = unit;
    this.#note = note;
    this.#specifiers = specifiersOf(unit);
  }

  read(): ServiceDraft | null {
    const commands = this.#commands();
    if (commands === null) return null;
    noteOthers(this.#unit, this.#note, isOther);
    this.#noteMissing();
    const sandbox = this.#sandbox();
    const envFile = this.#environmentFiles();
    const nice = this.#number("Nice", { min: -20, max: 19 });
    const openFiles = this.#number("LimitNOFILE", OPEN_FILES);
    return {
      disabledBecause: sandbox,
      description: this.#filled(valueOf(this.#unit, "Unit", "Description") ?? ""),
      ...this.#program(commands),
      user: this.#text("User"),
      group: this.#text("Group"),
      cwd: this.#directory(),
      umask: this.#last("UMask")?.value.replace(/^0?([0-7]{3})$/, "$1") ?? "022",
      nice,
      limits: openFiles === undefined ? undefined : { open_files: openFiles },
      ionice: this.#ioPriority(),
      envFile,
      env: this.#environment(envFile),
      successCodes: this.#successCodes(),
      timeout: this.#timeout() ?? "0",
      killAfter: this.#span(this.#last("TimeoutStopSec")) ?? KILL_AFTER_DEFAULT,
      // Leftover processes end under KillMode=control-group, the default, and =mixed.
      leaveChildren: /^(?:process|none)$/.test(this.#last("KillMode")?.value ?? ""),
    };
  }

  #last(key: string): UnitEntry | undefined {
    return valuesOf(this.#unit, "Service", key).at(-1);
  }

  #commands(): UnitCommand[] | null {
    const found: UnitCommand[] = [];
    for (const key of ["ExecStartPre", "ExecStart", "ExecStartPost"]) {
      for (const entry of valuesOf(this.#unit, "Service", key)) {
        try {
          const commands = readUnitCommand(entry.value, this.#specifiers);
          if (commands.some(({ isPrivileged }) => isPrivileged)) {
            this.#note(
              entry,
              `${key}= with + or ! is not carried over: it runs as the job's user`,
              true,
            );
          }
          found.push(...commands);
        } catch (error) {
          if (!isJobError(error, "invalid_argument")) throw error;
          this.#note(entry, `the job is left out: ${error.message}`, true);
          return null;
        }
      }
    }
    if (valuesOf(this.#unit, "Service", "ExecStart").length > 0) return found;
    this.#note(
      { file: this.#unit.file, line: 1 },
      "the job is left out: there is no ExecStart=",
      true,
    );
    return null;
  }

  /** A single command is an argv. Several commands, or variables, need the shell. */
  #program(commands: readonly UnitCommand[]): Pick<ServiceDraft, "run" | "command"> {
    const [first] = commands;
    if (commands.length === 1 && first!.argv !== null && !first!.isFailureIgnored) {
      return { command: first!.argv };
    }
    const lines = commands.map(({ line, isFailureIgnored }) =>
      isFailureIgnored ? `{ ${line} || :; }` : line
    );
    return { run: lines.join(" && ") };
  }

  #text(key: string): string | undefined {
    const value = this.#last(key)?.value;
    return value === undefined ? undefined : this.#filled(value);
  }

  #directory(): string | undefined {
    const value = this.#text("WorkingDirectory")?.replace(/^-/, "") ?? "/";
    // Here commands start in the home of their user by default.
    return value === "~" ? undefined : value;
  }

  /** A whole number in a range. Other values are not carried over. */
  #number(key: string, { min, max }: { readonly min: number; readonly max: number }) {
    const entry = this.#last(key);
    // A limit may be "soft:hard".
    const number = Number(key.startsWith("Limit") ? entry?.value.split(":", 1)[0] : entry?.value);
    if (entry === undefined || (Number.isInteger(number) && number >= min && number <= max)) {
      return entry && number;
    }
    const text = `${key}=${entry.value} is not carried over: wanted ${min} to ${max}`;
    this.#note(entry, text, true);
    return undefined;
  }

  #ioPriority(): string | undefined {
    const entry = this.#last("IOSchedulingClass");
    const level = this.#last("IOSchedulingPriority");
    const classes = ["none", "realtime", "best-effort", "idle"];
    const given = entry?.value ?? (level === undefined ? "none" : "best-effort");
    const name = /^[0-3]$/.test(given) ? classes[Number(given)]! : given;
    if (name === "none") return undefined;
    const ionice = name === "idle" ? name : `${name}:${level?.value ?? 4}`;
    if (IO_PRIORITY.test(ionice)) return ionice;
    const at = entry ?? level!;
    this.#note(at, `${at.key}=${at.value} is not carried over: unknown value`, true);
    return undefined;
  }

  #environmentFiles(): readonly string[] {
    const envFiles: string[] = [];
    for (const entry of valuesOf(this.#unit, "Service", "EnvironmentFile")) {
      const path = this.#filled(entry.value);
      if (/[*?[]/.test(path)) {
        this.#note(entry, `EnvironmentFile=${path} is not carried over: name each file`, true);
      } else envFiles.push(path);
    }
    return envFiles;
  }

  #environment(files: readonly string[]): Readonly<Record<string, string>> {
    const env: Record<string, string> = { PATH: PATH_DEFAULT };
    for (const entry of valuesOf(this.#unit, "Service", "Environment")) {
      for (const word of splitUnitWords(entry.value)) {
        const match = /^([A-Za-z_]\w*)=([^]*)$/.exec(word);
        if (match === null || variableProblem(match[1]!) !== null) {
          this.#note(entry, `Environment=${word} is not carried over`, true);
        } else env[match[1]!] = this.#filled(match[2]!);
      }
    }
    // Under systemd the files override Environment=. Here `env` overrides the files.
    for (const name of files.flatMap(namesIn)) delete env[name];
    return env;
  }

  #successCodes(): readonly number[] | undefined {
    const entry = this.#last("SuccessExitStatus");
    if (entry === undefined) return undefined;
    const words = entry.value.split(/\s+/);
    const codes = words.map((word) =>
      EXIT_NAMES.includes(word)
        ? 64 + EXIT_NAMES.indexOf(word)
        : /^\d{1,3}$/.test(word)
        ? +word
        : -1
    ).filter((code) => code >= 0 && code <= 255);
    if (codes.length < words.length) {
      this.#note(entry, `SuccessExitStatus=${entry.value}: signals are not carried over`, true);
    }
    return [...new Set([0, ...codes])];
  }

  #timeout(): string | null {
    const isOneshot = this.#last("Type")?.value === "oneshot";
    const entry = isOneshot
      ? this.#last("TimeoutStartSec") ?? this.#last("TimeoutSec")
      : this.#last("RuntimeMaxSec");
    return this.#span(entry);
  }

  /** Why the job is disabled: it would lack its sandbox; undefined without sandbox settings. */
  #sandbox(): string | undefined {
    const keys = new Set(
      this.#unit.entries.filter(({ section, key }) =>
        section === "Service" && SANDBOX_KEYS.test(key)
      ).map(({ key }) => key),
    );
    const active = [...keys].flatMap((key) => this.#last(key) ?? []).filter(({ value }) =>
      !isOff(value)
    );
    if (active.length === 0) return undefined;
    const found = active.map(({ key, value }) => `${key}=${value}`).join(" ");
    const text = `it would run without ${cutAtWord(found)}`;
    this.#note(active[0]!, `written with enabled = false: ${text}`, true);
    return text;
  }

  #noteMissing(): void {
    for (const key of ["User", "Group"]) {
      const entry = this.#last(key);
      if (entry === undefined) continue;
      const name = this.#filled(entry.value);
      const isThere = key === "User" ? hasUser(name) : groupId(name) !== null;
      if (!isThere) {
        this.#note(entry, `not on this host: there is no ${key.toLowerCase()} "${name}"`, true);
      }
    }
  }

  /** A duration; null for none, as for 0 and infinity. */
  #span(entry: UnitEntry | undefined): string | null {
    const ms = entry && readOrNote(entry, this.#note, () => readTimeSpan(entry.value));
    return ms ? formatDuration(ms) : null;
  }

  #filled(text: string): string {
    return orElse(() => fillSpecifiers(text, this.#specifiers), text);
  }
}

/** The command of a service unit and its settings; null if it cannot run. Losses become notes. */
export function readService(unit: Unit, note: AddUnitNote): ServiceDraft | null {
  return new ServiceReader(unit, note).read();
}
