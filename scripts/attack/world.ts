import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobClient } from "../../src/rpc/client/client.ts";
import { type Daemon, startDaemon } from "../../test/support/processes/daemon.ts";
import { tlsFile } from "../../test/support/tls_files.ts";
import { linesOf, until } from "../../test/support/wait.ts";
import type { Target, WorldNeeds } from "./attack.ts";

/** A daemon to attack, with one job every second and one that runs the whole time. */
export interface World {
  readonly daemon: Daemon;
  readonly target: Target;
  /** The ticks that ran, with the start times of their job code. */
  ticks(): readonly Tick[];
  /** The problem with the long job; null while it still runs as started. */
  longJobProblem(): string | null;
  end(): Promise<void>;
}

/** A tick that ran. */
export interface Tick {
  /** The second, in Unix time. */
  readonly second: number;
  readonly lateMs: number;
}

const TOKENS: Target["tokens"] = {
  viewer: "viewer-0123456789abcdef0123456789abcdef",
  reader: "reader-0123456789abcdef0123456789abcdef",
  operator: "operator-0123456789abcdef0123456789abcdef",
  admin: "admin-0123456789abcdef0123456789abcdef",
};

/** Ticks that must have run before the attack. */
const TICKS_BEFORE = 3;
const READY_MS = 60_000;
const LARGE_BYTES = 4_096;
/** Largest batch per call, in small and in large instances. */
const BATCH = 1_000;
const LARGE_BATCH = 500;
const YEAR_MS = 365 * 86_400_000;

function configText(folder: string, needs: WorldNeeds): string {
  const roles = { viewer: "viewer", reader: "viewer", operator: "operator", admin: "admin" };
  const tokens = Object.entries(TOKENS).map(([name, token]) =>
    `  { name = "${name}", role = "${roles[name as keyof typeof roles]}", token = "${token}" },`
  );
  const tls = needs.isTls
    ? `[server.tls]\ncert = "${tlsFile("server.crt")}"\nkey = "${tlsFile("server.key")}"\n`
    : "";
  // A bash variable, so that no extra process has to start before the time is read.
  return `
[server.auth]
mode = "token"
tokens = [
${tokens.join("\n")}
]
${tls}
[worker]
count = 8
[jobs.tick]
command = ["/bin/bash", "-c", 'echo "$JOB_SCHEDULED_FOR $EPOCHREALTIME" >> ${folder}/ticks']
schedule = "* * * * * *"
[jobs.long]
command = ["/bin/bash", "-c", 'echo $$ >> ${folder}/long; exec sleep 3600']
[jobs.idle]
command = ["/bin/true"]
params = "text?: string"
${needs.toml ?? ""}
`;
}

/**
 * Start a daemon with what the attack needs. Its store is a copy of a filled one, or is filled now.
 */
export async function startWorld(
  needs: WorldNeeds,
  filled: FilledStores | null,
): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-attack-"));
  const data = join(folder, "data");
  const template = needs.isInMemory ? null : await filled?.folderFor(needs) ?? null;
  if (template === null) mkdirSync(data, { mode: 0o700 });
  else cpSync(template, data, { recursive: true });
  const daemon = await startDaemon({
    toml: configText(folder, needs),
    modules: needs.modules,
    env: {
      JOBCTL_STORE_URL: needs.isInMemory ? "memory:" : `sqlite:${join(data, "jobctl.db")}`,
    },
    descriptors: needs.descriptors,
  });
  const end = async () => {
    await daemon.stop({ force: true });
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const world: World = {
      daemon,
      end,
      target: {
        port: daemon.port,
        httpPort: daemon.httpPort,
        socket: join(daemon.dir, "jobctl.sock"),
        tokens: TOKENS,
        isTls: needs.isTls ?? false,
      },
      ticks: () => linesOf(join(folder, "ticks")).map(readTick),
      longJobProblem: () => longJobProblem(join(folder, "long")),
    };
    const client = daemon.client();
    if (filled === null || needs.isInMemory) await fill(client, needs);
    await client.scheduleJob({ kind: "long" });
    const isReady = () => world.ticks().length >= TICKS_BEFORE && world.longJobProblem() === null;
    await until("ticks and the long job run", isReady, READY_MS);
    return world;
  } catch (error) {
    await end();
    throw error;
  }
}

function readTick(line: string): Tick {
  const [scheduledFor, began] = line.split(" ");
  const dueMs = Date.parse(scheduledFor!);
  return { second: dueMs / 1_000, lateMs: Number(began!.replace(",", ".")) * 1_000 - dueMs };
}

/** Each start of the job writes its process id. */
function longJobProblem(file: string): string | null {
  const starts = linesOf(file);
  if (starts.length === 0) return "never began";
  if (starts.length > 1) return `began ${starts.length} times`;
  try {
    const state = /\) (\S)/.exec(readFileSync(`/proc/${starts[0]}/stat`, "latin1"))?.[1];
    return state === "Z" ? "ended" : null;
  } catch {
    return "ended";
  }
}

/** Databases that some attacks need, each created on first use. */
export class FilledStores {
  readonly #root = mkdtempSync(join(tmpdir(), "jobctl-filled-"));
  readonly #made = new Map<string, string>();

  /** A folder to copy; null if the attack needs none. */
  async folderFor({ records, schedules }: WorldNeeds): Promise<string | null> {
    if (records === undefined && schedules === undefined) return null;
    const key = JSON.stringify([records, schedules]);
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const folder = join(this.#root, String(this.#made.size));
    mkdirSync(folder, { mode: 0o700 });
    const daemon = await startDaemon({
      toml: configText(folder, {}),
      env: { JOBCTL_STORE_URL: `sqlite:${join(folder, "jobctl.db")}` },
    });
    try {
      await fill(daemon.client(), { records, schedules });
    } finally {
      await daemon.stop();
    }
    this.#made.set(key, folder);
    return folder;
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}

async function fill(client: JobClient, { records, schedules }: WorldNeeds): Promise<void> {
  if (records !== undefined) await addRecords(client, records);
  if (schedules !== undefined) await addSchedules(client, schedules);
}

/** Instances due next year: small ones, then large ones, which a look-up returns first. */
async function addRecords(
  client: JobClient,
  { small, large }: { readonly small: number; readonly large: number },
): Promise<void> {
  const add = async (count: number, bytes: number, batch: number) => {
    const request = { kind: "idle", arguments: ["x".repeat(bytes)], afterMs: BigInt(YEAR_MS) };
    for (let left = count; left > 0; left -= batch) {
      const requests = Array(Math.min(batch, left)).fill(request);
      await client.scheduleJobs({ requests }, { timeoutMs: READY_MS });
    }
  };
  await add(small, 10, BATCH);
  await add(large, LARGE_BYTES, LARGE_BATCH);
}

async function addSchedules(client: JobClient, count: number): Promise<void> {
  const add = (index: number) =>
    client.scheduleJob({
      kind: "idle",
      arguments: [String(index)],
      cron: `${index % 60} ${index % 24} 1 1 *`,
    }, { timeoutMs: READY_MS });
  for (let index = 0; index < count; index += 100) {
    const some = Math.min(100, count - index);
    await Promise.all(Array.from({ length: some }, (_, place) => add(index + place)));
  }
}
