import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { formatDuration } from "../../core/time/duration.ts";
import { errorCode, isJobError, JobError, messageOf } from "../../core/errors.ts";
import { REBOOT } from "../../core/time/schedule.ts";
import { openZone } from "../../core/time/zone.ts";
import type { ImportNote } from "./crontab_reader.ts";
import { type JobDraft, MISSED_EVER, writeFile } from "./job_toml.ts";
import { KindNames } from "./kind_names.ts";
import { calendarToCron, readTimeSpan } from "./systemd_calendar.ts";
import { readService, type ServiceDraft } from "./systemd_service.ts";
import {
  type AddUnitNote,
  instanceOf,
  isMasked,
  isOff,
  isYes,
  noteOthers,
  openUnit,
  readOrNote,
  type Unit,
  UNIT_DIRECTORIES,
  unitDirectories,
  type UnitEntry,
  unitStem,
  valueOf,
  valuesOf,
} from "./systemd_unit.ts";

/** The result of an import of timers. */
export interface SystemdImport {
  readonly toml: string;
  readonly jobs: readonly JobDraft[];
  readonly notes: readonly ImportNote[];
}

/** Keys of [Timer] that are carried over or have no effect here. */
const TIMER_KEYS = new Set(
  ("OnCalendar OnBootSec OnStartupSec OnActiveSec OnUnitActiveSec OnUnitInactiveSec RandomizedDelaySec Persistent Unit " +
    "AccuracySec RemainAfterElapse").split(" "),
);

/** True for a template without an instance, such as `backup@.timer`. It never runs. */
function isTemplate(name: string): boolean {
  return name.endsWith("@.timer");
}

function instanceName(template: string): string {
  return template.replace("@.", "@INSTANCE.");
}

function noTimer(path: string): JobError {
  const isMissing = path.includes("/") && !existsSync(path);
  const problem = isMissing ? "it does not exist" : "there is no timer unit";
  return new JobError("not_found", `Cannot import "${path}": ${problem}`, {
    hint: "Name a .timer file, the name of an installed one, or a directory of units",
  });
}

function timersOf(
  path: string,
): readonly (readonly [name: string, directories: readonly string[]])[] {
  if (existsSync(path) && statSync(path).isDirectory()) {
    return readdirSync(path).filter((name) => /^[^@]+(?:@[^@]*)?\.timer$/.test(name)).sort()
      .map((name) => [name, [path, ...UNIT_DIRECTORIES]] as const);
  }
  const name = /\.\w+$/.test(path) ? basename(path) : `${basename(path)}.timer`;
  if (!name.endsWith(".timer")) {
    if (path.includes("/") && !existsSync(path)) throw noTimer(path);
    throw new JobError("invalid_argument", `Cannot import "${path}": it is not a timer unit`, {
      hint: "Name a .timer; its .service is read with it",
    });
  }
  if (isTemplate(name)) {
    throw new JobError("invalid_argument", `Cannot import "${path}": it is only a template`, {
      hint: `Name an instance: ${instanceName(name)}`,
    });
  }
  const own = path.includes("/") ? [dirname(path)] : [];
  return [[name, [...new Set([...own, ...UNIT_DIRECTORIES])]]];
}

class Importer {
  readonly jobs: JobDraft[] = [];
  readonly notes: ImportNote[] = [];
  readonly #names = new KindNames();
  readonly #timezone: string;

  constructor(timezone: string) {
    this.#timezone = timezone;
  }

  readonly note: AddUnitNote = ({ file, line }, text, isLoss) =>
    void this.notes.push({ file, line, text, isLoss });

  /** Add a timer by name; if unreadable, a note says so. Returns false if it is missing. */
  open(name: string, directories: readonly string[]): boolean {
    const at = { file: join(directories[0]!, name), line: 1 };
    try {
      if (isMasked(name, directories)) {
        this.note(at, "left out: it is masked", false);
        return true;
      }
      if (isTemplate(name)) {
        const remedy = `import its instances by name (${instanceName(name)})`;
        this.note(at, `left out: it is only a template; ${remedy}`, true);
        return true;
      }
      const timer = openUnit(name, directories);
      if (timer !== null) this.#add(timer, directories);
      return timer !== null;
    } catch (error) {
      if (!isJobError(error) && errorCode(error) === undefined) throw error;
      this.note(at, `left out: ${messageOf(error)}`, true);
      return true;
    }
  }

  #add(timer: Unit, directories: readonly string[]): void {
    const atTimer = { file: timer.file, line: 1 };
    const serviceName = valueOf(timer, "Timer", "Unit") ?? `${unitStem(timer.name)}.service`;
    const folders = [...unitDirectories(timer), ...directories];
    if (isMasked(serviceName, folders)) {
      return this.note(atTimer, `left out: its unit ${serviceName} is masked`, false);
    }
    const service = openUnit(serviceName, folders);
    if (service === null) {
      return this.note(atTimer, `left out: its unit ${serviceName} is not found`, true);
    }
    const schedule = this.#schedules(timer);
    if (schedule.length === 0) return this.note(atTimer, "left out: no schedule is left", true);
    // A disabled setting loses nothing.
    noteOthers(
      timer,
      this.note,
      ({ section, key, value }) => section === "Timer" && !TIMER_KEYS.has(key) && !isOff(value),
    );
    const owners = [...new Set([...timer.owners, ...service.owners])];
    if (owners.length > 1) {
      const found = `left out: its files belong to ${owners.map((each) => `"${each}"`).join(", ")}`;
      return this.note(atTimer, found, true);
    }
    const command = readService(service, this.note);
    if (command === null) return;
    const [owner] = owners;
    if (owner !== undefined) {
      this.note(atTimer, `its files belong to "${owner}": the job runs as that user`, false);
    }
    const instance = instanceOf(timer.name);
    const stem = unitStem(timer.name).replace(/@.*$/, "") + (instance === "" ? "" : `-${instance}`);
    const kind = stem.replaceAll(/[^A-Za-z0-9_.:-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "job";
    const isPersistent = isYes(valueOf(timer, "Timer", "Persistent"));
    this.jobs.push({
      ...(owner === undefined ? command : this.#asUser(command, owner, atTimer)),
      kind: this.#names.take(kind),
      origin: `${timer.file} and ${service.file}`,
      schedule,
      timezone: this.#timezone,
      // systemd does not start an active unit again. `overlap` covers one schedule only.
      overlap: "skip",
      unique: schedule.length > 1 ? "arguments" : undefined,
      misfire: isPersistent ? "latest" : "skip",
      // A missed run is always made up for.
      misfireWithin: isPersistent ? MISSED_EVER : undefined,
      jitter: this.#jitter(timer),
    });
  }

  /**
   * The service with its owner as its user, overriding its files. Otherwise root would run, read or
   * grant anything that user wrote.
   */
  #asUser(service: ServiceDraft, owner: string, at: Parameters<AddUnitNote>[0]): ServiceDraft {
    const { envFile = [], nice = 0, ionice, limits } = service;
    const refuse = (what: string) =>
      this.note(at, `${what} is not carried over: "${owner}" has no right to it`, true);
    if (nice < 0) refuse(`Nice=${nice}`);
    if (limits !== undefined) refuse(`LimitNOFILE=${limits.open_files}`);
    const isRealtime = ionice?.startsWith("realtime") === true;
    if (isRealtime) refuse("IOSchedulingClass=realtime");
    let { disabledBecause } = service;
    if (envFile.length > 0) {
      const text = `it would run without EnvironmentFile=${envFile.join(" ")}`;
      this.note(at, `written with enabled = false: ${text}, which root would read for it`, true);
      disabledBecause ??= text;
    }
    return {
      ...service,
      disabledBecause,
      user: owner,
      group: undefined,
      nice: nice > 0 ? nice : undefined,
      ionice: isRealtime ? undefined : ionice,
      envFile: [],
      limits: undefined,
    };
  }

  #schedules(timer: Unit): string[] {
    const found: string[] = [];
    this.#each(timer, ["OnCalendar"], ({ value }) => found.push(calendarToCron(value)));
    this.#each(timer, ["OnBootSec", "OnStartupSec", "OnActiveSec"], (entry) => {
      if (!found.includes(REBOOT)) found.push(REBOOT);
      if (readTimeSpan(entry.value) === 0) return;
      const text = "runs at the daemon's start, without the delay";
      this.note(entry, `${entry.key}=${entry.value}: ${text}`, true);
    });
    this.#each(timer, ["OnUnitActiveSec", "OnUnitInactiveSec"], (entry) => {
      const { key, value } = entry;
      const ms = readTimeSpan(value);
      if (ms === null) return;
      found.push(`@every ${formatDuration(ms)}`);
      const isActive = key === "OnUnitActiveSec";
      const from = isActive
        ? "counted from when the daemon first sees the job"
        : "counted from start to start, not from its end";
      this.note(entry, `${key}=${value} becomes @every, ${from}`, !isActive);
    });
    return found;
  }

  #jitter(timer: Unit): string {
    const entry = valuesOf(timer, "Timer", "RandomizedDelaySec").at(-1);
    const ms = entry && readOrNote(entry, this.note, () => readTimeSpan(entry.value));
    return ms ? formatDuration(ms) : "0";
  }

  /** Act on each value of some keys of [Timer]. A value that cannot be read becomes a note. */
  #each(timer: Unit, keys: readonly string[], action: (entry: UnitEntry) => void): void {
    for (const entry of keys.flatMap((key) => valuesOf(timer, "Timer", key))) {
      readOrNote(entry, this.note, () => action(entry));
    }
  }
}

/**
 * Turn timer units, each with its service, into tables of a configuration.
 *
 * @param path a timer's file, its name, or a directory of units
 * @param options.timezone IANA zone of the host
 * @throws JobError `not_found` if there is no timer, `invalid_argument` for a template
 */
export function importSystemd(path: string, options: { readonly timezone: string }): SystemdImport {
  const importer = new Importer(openZone(options.timezone).name);
  let count = 0;
  for (const [name, directories] of timersOf(path)) {
    if (importer.open(name, directories)) count += 1;
  }
  if (count === 0) throw noTimer(path);
  const { jobs, notes } = importer;
  const toml = writeFile([
    "Imported from systemd timers by jobctl. As under systemd, a run is skipped while the previous one is running, and",
    "Persistent=true makes up for one missed run. [defaults] and worker.count do not change the tables.",
  ], jobs);
  return { toml, jobs, notes };
}
