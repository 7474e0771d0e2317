import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JobError, messageOf } from "../../../src/core/errors.ts";
import { freePort } from "../../../test/support/servers/server_process.ts";

const PROGRAMS = "/usr/lib/postgresql";
const READY_TRIES_MAX = 200;

/** A PostgreSQL with its default, durable settings on a loopback port. */
export interface PostgresServer {
  readonly version: string;
  /** URL of a new, empty database. */
  newDatabase(): string;
  close(): Promise<void>;
}

/**
 * Start Debian's PostgreSQL in a temporary folder as an unprivileged user. If it is missing, it is
 * installed first.
 *
 * @throws JobError `unavailable` when it cannot be installed or does not start; leaves nothing
 *   behind
 */
export async function startPostgres(): Promise<PostgresServer> {
  const programs = programsDir();
  const dir = mkdtempSync(join(tmpdir(), "jobctl-postgres-"));
  const user = unprivileged();
  chmodSync(dir, 0o700);
  if (user.uid !== undefined) chownSync(dir, user.uid, user.gid!);
  const data = join(dir, "data");
  const initArgs = ["-D", data, "-U", "bench", "--auth=trust", "--no-sync"];
  try {
    execFileSync(join(programs, "initdb"), initArgs, { ...user, cwd: dir, stdio: "pipe" });
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw new JobError("unavailable", `Cannot start PostgreSQL: ${firstLine(messageOf(error))}`, {
      cause: error,
    });
  }
  const port = await freePort();
  const args = ["-D", data, "-p", `${port}`, "-k", dir, "-c", "listen_addresses=127.0.0.1"];
  const server = spawn(join(programs, "postgres"), args, { ...user, cwd: dir, stdio: "ignore" });
  const exited = once(server, "exit");
  const close = async () => {
    server.kill("SIGINT");
    await exited;
    rmSync(dir, { recursive: true, force: true });
  };
  const psql = (sql: string) =>
    spawnSync(join(programs, "psql"), [
      "-h",
      "127.0.0.1",
      "-p",
      `${port}`,
      "-U",
      "bench",
      "-Atc",
      sql,
      "postgres",
    ], {
      encoding: "utf8",
    });
  for (let tries = 0;; tries++) {
    const { status, stderr } = psql("select 1");
    if (status === 0) break;
    if (tries === READY_TRIES_MAX) {
      await close();
      throw new JobError("unavailable", `Cannot use PostgreSQL: ${firstLine(stderr ?? "no psql")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  let databases = 0;
  return {
    version: psql("show server_version").stdout.trim(),
    newDatabase() {
      const name = `bench_${++databases}`;
      const { status, stderr } = psql(`create database ${name}`);
      if (status !== 0) throw new JobError("unavailable", `Cannot create a database: ${stderr}`);
      return `postgres://bench@127.0.0.1:${port}/${name}`;
    },
    close,
  };
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0]!;
}

function programsDir(): string {
  const find = () => {
    if (!existsSync(PROGRAMS)) return undefined;
    return readdirSync(PROGRAMS).sort((a, b) => Number(b) - Number(a))
      .map((version) => join(PROGRAMS, version, "bin"))
      .find((dir) => existsSync(join(dir, "initdb")));
  };
  const found = find();
  if (found) return found;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [["update", "-qq"], ["install", "-y", "-qq", "postgresql"]]) {
    spawnSync("apt-get", args, { env, stdio: ["ignore", 2, 2] });
  }
  const installed = find();
  if (installed) return installed;
  throw new JobError("unavailable", `Cannot start PostgreSQL: there is none below ${PROGRAMS}`, {
    hint: "Install it as root: apt-get install postgresql",
  });
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const idOf = (flag: string) =>
    Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: idOf("-u"), gid: idOf("-g") };
}
