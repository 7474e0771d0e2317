import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { JobError } from "../../../src/core/errors.ts";
import { nearest } from "../../../src/core/text/nearest.ts";
import { startValkey } from "../../../test/support/servers/valkey_server.ts";
import type { Figures, Settings } from "../scenario.ts";
import { VALKEY_CONFIG } from "../scratch_store.ts";
import { summarize, type Summary } from "../statistics.ts";
import { type Entrant, JUDGED, type JudgedRatio, PARTS, type Server } from "./entrants.ts";
import { requireServers } from "../require_servers.ts";
import { type InstalledPeers, installPeers } from "./install_peers.ts";
import { startPostgres } from "./postgres.ts";

const PROGRAM = fileURLToPath(new URL("./run_contender.ts", import.meta.url));
const RUN_MS_MAX = 90_000;
const CALLS = 1_000;
const DELAYED = 500;

/** The figures of one entrant in one part. */
export interface PeerFigures {
  readonly entrant: Entrant;
  readonly figures: Readonly<Record<string, Summary>>;
}

/** Everything that was measured side by side. */
export interface PeersReport {
  readonly parts: Readonly<Record<string, readonly PeerFigures[]>>;
  readonly ratios: readonly (JudgedRatio & { readonly ratio: number })[];
  /** Version by product. */
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * Measure the peers and us in turns: A B C, A B C, …; each time in a process of its own, on a queue
 * that nothing used before.
 *
 * @param only parts; all without any
 * @throws JobError `invalid_argument` for an unknown part, `unavailable` when a peer or its server
 *   cannot be installed
 */
export async function measurePeers(
  settings: Settings,
  only: readonly string[],
): Promise<PeersReport> {
  const names = partsOf(only);
  const installed = installPeers();
  const servers = await startServers();
  try {
    const parts: Record<string, readonly PeerFigures[]> = {};
    for (const name of names) {
      parts[name] = await measurePart(name, settings, (entrant) => {
        return runEntrant({ entrant, task: name, settings, installed, servers });
      });
    }
    return {
      parts,
      ratios: ratiosOf(parts["end-to-end"] ?? []),
      versions: { ...installed.versions, node: installed.nodeVersion, ...servers.versions },
    };
  } finally {
    await servers.close();
  }
}

function partsOf(only: readonly string[]): readonly string[] {
  const known = Object.keys(PARTS);
  for (const name of only) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    throw new JobError("invalid_argument", `Cannot compare "${name}": there is no such part`, {
      hint: near === null ? `Parts: ${known.join(", ")}` : `Did you mean "${near}"?`,
    });
  }
  return only.length === 0 ? known : only;
}

async function measurePart(
  name: string,
  settings: Settings,
  run: (entrant: Entrant) => Promise<Figures>,
): Promise<readonly PeerFigures[]> {
  const entrants = PARTS[name]!;
  const runs = new Map<Entrant, Figures[]>(entrants.map((entrant) => [entrant, []]));
  for (let round = 1; round <= settings.runs; round++) {
    for (const entrant of entrants) {
      const figures = await run(entrant);
      runs.get(entrant)!.push(figures);
      console.error(`${name} ${round}/${settings.runs} ${entrant.label}: ${textOf(figures)}`);
    }
  }
  return entrants.map((entrant) => {
    const all = runs.get(entrant)!;
    const keys = Object.keys(all[0]!);
    const summaries = keys.map((key) => [key, summarize(all.map((run) => run[key]!))] as const);
    return { entrant, figures: Object.fromEntries(summaries) };
  });
}

function textOf(figures: Figures): string {
  return Object.entries(figures).map(([name, value]) => `${name} ${value.toFixed(2)}`).join(", ");
}

function ratiosOf(measured: readonly PeerFigures[]): PeersReport["ratios"] {
  const rateOf = (wanted: Entrant) => {
    return measured.find(({ entrant }) => entrant === wanted)?.figures.rate?.median ?? NaN;
  };
  return JUDGED.map((judged) => ({ ...judged, ratio: rateOf(judged.ours) / rateOf(judged.peer) }))
    .filter(({ ratio }) => !Number.isNaN(ratio));
}

interface Servers {
  readonly versions: Readonly<Record<string, string>>;
  /** URL of an empty queue. */
  freshUrl(server: Server): Promise<string>;
  close(): Promise<void>;
}

async function startServers(): Promise<Servers> {
  requireServers();
  // Durable as far as Valkey is by its own advice: the append-only file, written out every second.
  const valkey = await startValkey({ appendonly: true, config: VALKEY_CONFIG });
  const postgres = await startPostgres();
  const info = await valkey.cli("INFO", "server");
  return {
    versions: {
      valkey: /valkey_version:(\S+)/.exec(info)?.[1] ?? "unknown",
      postgresql: postgres.version,
    },
    async freshUrl(server) {
      if (server === "postgres") return postgres.newDatabase();
      if (server !== "valkey") return server;
      await valkey.cli("FLUSHALL");
      return valkey.url;
    },
    async close() {
      await valkey.close();
      await postgres.close();
    },
  };
}

async function runEntrant(
  options: {
    readonly entrant: Entrant;
    readonly task: string;
    readonly settings: Settings;
    readonly installed: InstalledPeers;
    readonly servers: Servers;
  },
): Promise<Figures> {
  const { entrant, task, settings, installed, servers } = options;
  const url = await servers.freshUrl(entrant.server);
  const sizes = settings.isQuick
    ? { jobs: 200, calls: 20, delayed: 20 }
    : { jobs: settings.jobs, calls: CALLS, delayed: DELAYED };
  const json = JSON.stringify({ url, concurrency: settings.workers, ...sizes });
  const runtime = entrant.program.startsWith("ours") ? process.execPath : installed.node;
  const child = spawn(runtime, [PROGRAM, entrant.program, task, json], {
    env: { ...process.env, BENCH_PEERS_DIR: installed.dir, NODE_ENV: "production" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: RUN_MS_MAX,
  });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const [code, signal] = await once(child, "close");
  const line = output.split("\n").find((text) => text.startsWith("{"));
  if (line !== undefined) return JSON.parse(line);
  throw new JobError(
    "internal",
    `Cannot measure ${entrant.label}, ${task}: ended with ${code ?? signal}`,
    {
      hint: errors.slice(-2_000),
    },
  );
}
