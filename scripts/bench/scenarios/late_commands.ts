import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CronName, whyNoCrons } from "../../../test/support/crons/packages.ts";
import { startWorld } from "../../../test/support/crons/world.ts";
import { type Daemon, startDaemon } from "../../../test/support/processes/daemon.ts";
import { linesOf } from "../../../test/support/wait.ts";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";
import { quantile } from "../statistics.ts";
import { wait } from "../wait.ts";

/** Commands that are due at the same second: one, and 100 others. */
const COMMANDS = 101;
const countOf = (settings: Settings) => scaled(settings, COMMANDS, 5);
/** A command that writes when it began, in seconds since the epoch. */
const DATE = ["/bin/date", "+%s.%N"] as const;
/** Seconds between two turns of ours, with one of a loop between them. */
const EVERY_SECONDS = 4;
const EVERY_SECONDS_QUICK = 2;
const TURNS = 10;
const MINUTE_SECONDS = 60;
/** The second of the minute for ours and for the loop, when what crons begin at 0 has ended. */
const SECONDS = { ours: 25, loop: 45 } as const;
/** How long before its first minute a cron has to be started. */
const START_MS = 10_000;

/** When commands are due: at a second of each period, counted from the hour. */
interface Turn {
  readonly everySeconds: number;
  readonly second: number;
}

/** Something that starts commands, until it is ended. */
interface Contender {
  readonly turn: Turn;
  /** The lines of all commands so far. */
  lines(): Promise<readonly string[]>;
  end(): Promise<void>;
}

/** Our daemon, with one job for each command. */
async function startOurs(
  settings: Settings,
  turn: Turn,
  command: readonly string[],
): Promise<Contender> {
  const { everySeconds, second } = turn;
  const seconds = everySeconds === MINUTE_SECONDS ? second : `${second}-59/${everySeconds}`;
  const jobs = Array.from({ length: countOf(settings) }, (_, index) => {
    return `[jobs.c${index}]
command = ${JSON.stringify(command)}
schedule = "${seconds} * * * * *"
worker_slot = false
`;
  });
  const scratch = await scratchStore(settings.store);
  const daemon = await startDaemon({ toml: `modules = []\n${jobs.join("")}`, env: scratch.env });
  return {
    turn,
    lines: () => loggedLines(daemon),
    async end() {
      await daemon.stop({ force: true });
      await scratch.clean();
    },
  };
}

async function loggedLines(daemon: Daemon): Promise<readonly string[]> {
  const lines: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = await daemon.client().lookupInstanceLogs({ query: { pageToken } });
    lines.push(...page.entries.map(({ message }) => message));
    pageToken = page.nextPageToken;
  } while (pageToken);
  return lines;
}

/** Starts all commands at each second due, one after the other, and does nothing more. */
function startLoop(
  file: string,
  options: { readonly turn: Turn; readonly command: readonly string[]; readonly count: number },
): Contender {
  const { turn, command: [program, ...args], count } = options;
  const output = openSync(file, "a");
  const periodMs = turn.everySeconds * 1_000;
  let timer: ReturnType<typeof setTimeout>;
  const arm = () => {
    const sinceMs = (Date.now() - turn.second * 1_000) % periodMs;
    timer = setTimeout(run, periodMs - sinceMs);
  };
  const run = () => {
    for (let started = 0; started < count; started++) {
      spawn(program!, args, { stdio: ["ignore", output, "inherit"] });
    }
    arm();
  };
  arm();
  return {
    turn,
    lines: () => Promise.resolve(linesOf(file)),
    end() {
      clearTimeout(timer);
      closeSync(output);
      return Promise.resolve();
    },
  };
}

/** Debian's own daemon, on a host of its own; due at each second minute. */
function startCron(
  name: CronName,
  { parent, minutes, count }: {
    readonly parent: string;
    readonly minutes: "even" | "odd";
    readonly count: number;
  },
): Contender {
  const folder = mkdtempSync(join(parent, `${name}-`));
  // The world has its folder of records at /mnt.
  const line = `${DATE.join(" ").replaceAll("%", "\\%")} >> /mnt/late`;
  const [first, offset] = minutes === "even" ? ["0-58/2", 0] : ["1-59/2", MINUTE_SECONDS];
  const text = `${first} * * * * root ${line}\n`.repeat(count);
  const files = [{ path: "etc/cron.d/late", text }];
  const world = startWorld(name, files, { folder, jobctlPort: null });
  return {
    turn: { everySeconds: 2 * MINUTE_SECONDS, second: offset },
    lines: () => Promise.resolve(linesOf(join(folder, "records/late"))),
    end: () => world.end(),
  };
}

/** How late the commands of a contender began in a number of turns, in ms. */
async function figuresOf(
  prefix: string,
  contender: Contender,
  { turns, count }: { readonly turns: number; readonly count: number },
): Promise<Figures> {
  const { everySeconds, second } = contender.turn;
  const lines = await contender.lines();
  if (lines.length < turns * count) {
    throw new Error(`Only ${lines.length} of ${turns * count} commands began, ${prefix || "ours"}`);
  }
  const late = lines.map((line) => (Number(line) - second) * 1_000 % (everySeconds * 1_000));
  return { [`${prefix}p50`]: quantile(late, 0.5), [`${prefix}p99`]: quantile(late, 0.99) };
}

/** Ours and a loop, in turns. */
async function besideLoop(settings: Settings): Promise<Figures> {
  return await withContenders(async (dir, add) => {
    const size = { turns: scaled(settings, TURNS, 1), count: countOf(settings) };
    const everySeconds = settings.isQuick ? EVERY_SECONDS_QUICK : EVERY_SECONDS;
    const turn = { everySeconds, second: 0 };
    const ours = add(await startOurs(settings, turn, DATE));
    const loop = add(startLoop(join(dir, "loop"), {
      ...{ turn: { everySeconds, second: everySeconds / 2 }, command: DATE, count: size.count },
    }));
    // As many of both, and what is due last has time to end.
    await wait((size.turns + 1) * everySeconds * 1_000);
    return { ...await figuresOf("", ours, size), ...await figuresOf("loop-", loop, size) };
  });
}

/** All of them within two minutes, with the command lines of a crontab. */
async function besideCrons(settings: Settings): Promise<Figures> {
  const trouble = whyNoCrons();
  if (trouble !== null) throw new Error(`Cannot run crons: ${trouble}`);
  return await withContenders(async (dir, add) => {
    const toMinuteMs = () => MINUTE_SECONDS * 1_000 - Date.now() % (MINUTE_SECONDS * 1_000);
    if (toMinuteMs() < START_MS) await wait(START_MS);
    const command = ["/bin/sh", "-c", DATE.join(" ")];
    const count = countOf(settings);
    const everySeconds = MINUTE_SECONDS;
    const ours = add(await startOurs(settings, { everySeconds, second: SECONDS.ours }, command));
    const loop = add(startLoop(join(dir, "loop"), {
      ...{ turn: { everySeconds, second: SECONDS.loop }, command, count },
    }));
    const debian = add(startCron("debian", { parent: dir, minutes: "even", count }));
    const cronie = add(startCron("cronie", { parent: dir, minutes: "odd", count }));
    await wait(toMinuteMs() + 2 * MINUTE_SECONDS * 1_000);
    return {
      ...await figuresOf("", ours, { turns: 2, count }),
      ...await figuresOf("loop-", loop, { turns: 2, count }),
      ...await figuresOf("debian-", debian, { turns: 1, count }),
      ...await figuresOf("cronie-", cronie, { turns: 1, count }),
    };
  });
}

/** @param action adds what it starts, which is ended after it */
async function withContenders(
  action: (dir: string, add: (contender: Contender) => Contender) => Promise<Figures>,
): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-bench-"));
  const contenders: Contender[] = [];
  try {
    return await action(dir, (contender) => {
      contenders.push(contender);
      return contender;
    });
  } finally {
    for (const contender of contenders) await contender.end();
    rmSync(dir, { recursive: true, force: true });
  }
}

function figuresNamed(prefixes: readonly string[]): Scenario["figures"] {
  return prefixes.flatMap((prefix) => [
    { name: `${prefix}p50`, unit: "ms", better: "lower" as const },
    {
      ...{ name: `${prefix}p99`, unit: "ms", better: "lower" as const },
      ...(prefix === "" ? { target: { sqlite: 60, memory: 60 } } : {}),
    },
  ]);
}

/** How late commands begin that are due at the same second. */
export const COMMANDS_LATE: readonly Scenario[] = [{
  name: "commands-late",
  about: "lateness of 101 commands due at one second, in turns with a loop that only spawns them",
  usesStore: true,
  figures: figuresNamed(["", "loop-"]),
  run: besideLoop,
}, {
  name: "commands-crons",
  about: "only by name, as root: the same by /bin/sh, in turns with Debian's cron and cronie",
  isExtra: true,
  usesStore: true,
  figures: figuresNamed(["", "loop-", "debian-", "cronie-"]),
  run: besideCrons,
}];
