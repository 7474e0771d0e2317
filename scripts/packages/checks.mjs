// Checks in a folder where a package manager has installed ts-job.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "../tasks.mjs";
import { freePort } from "./registry.mjs";

const TIMEOUT_MS = 120_000;

/** Run a command to its end. @throws Error with its output if it fails */
export function must(command, args, { cwd, env = {}, input } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env: { ...process.env, NO_UPDATE_NOTIFIER: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    encoding: "utf8",
    timeout: TIMEOUT_MS,
    input,
  });
  if (result.status === 0) return result.stdout;
  const how = result.error?.message ?? `exit code ${result.status ?? result.signal}`;
  throw new Error(`${[command, ...args].join(" ")}: ${how}\n${result.stdout}${result.stderr}`);
}

/**
 * Packages and megabytes below a folder, without targets of links. A package is a folder whose
 * package.json has a name and a version.
 */
export function weigh(folder) {
  let [packages, bytes] = [0, 0];
  const waiting = [folder];
  for (const path of waiting) {
    const info = lstatSync(path);
    if (info.isDirectory()) waiting.push(...readdirSync(path).map((name) => join(path, name)));
    if (!info.isFile()) continue;
    bytes += info.size;
    if (basename(path) !== "package.json") continue;
    const { name, version } = JSON.parse(readFileSync(path, "utf8"));
    if (name !== undefined && version !== undefined) packages += 1;
  }
  return { packages, megabytes: Math.round(bytes / 1e6) };
}

/** Run test/pack/library.ts with each of some runtimes, as argv. */
export function runLibrary(folder, runtimes, env) {
  copyFileSync(join(ROOT, "test", "pack", "library.ts"), join(folder, "library.ts"));
  for (const [command, ...args] of runtimes) {
    const output = must(command, [...args, "library.ts"], { cwd: folder, env });
    if (!output.includes("Manager and JobError work")) throw new Error(`Unexpected: ${output}`);
  }
}

/** Compile test/pack/library.ts under strict, the declarations included. */
export function compileLibrary(folder, tsc) {
  copyFileSync(join(ROOT, "test", "pack", "library.ts"), join(folder, "library.ts"));
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];
  const how = ["--module", "nodenext", "--target", "es2022", "--skipLibCheck", "false", "--noEmit"];
  must(tsc[0], [...tsc.slice(1), ...strict, ...how, "library.ts"], { cwd: folder });
}

/**
 * Serve, and use the daemon from the command line.
 *
 * @param argv command that runs ts-job, such as `["npx", "ts-job"]`
 * @param how.expects "program" or "script": the expected kind of the daemon's process
 */
export async function runDaemon(folder, argv, { expects, env = {} }) {
  const port = await freePort();
  mkdirSync(join(folder, "jobs"), { recursive: true });
  writeFileSync(
    join(folder, "jobs", "sum.ts"),
    "export default (x: number, y: number) => x + y;\n",
  );
  writeFileSync(
    join(folder, "config.toml"),
    `modules = ["jobs"]\nstore = { url = "memory:" }\n[server]\nport = ${port}\nhttp = ""\n` +
      `socket = ""\nauth = { mode = "none" }\n`,
  );
  const [command, ...args] = argv;
  const daemon = spawn(command, [...args, "serve", "--config", "config.toml"], {
    cwd: folder,
    env: { ...process.env, NO_UPDATE_NOTIFIER: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdio: ["ignore", "inherit", "pipe"],
    detached: true,
  });
  const timer = setTimeout(() => process.kill(-daemon.pid, "SIGKILL"), TIMEOUT_MS);
  const exit = once(daemon, "exit");
  try {
    const pid = await listening(daemon, port);
    const at = { cwd: folder, env };
    must(command, [...args, "status", "--port", String(port)], at);
    const sum = [...args, "schedule", "sum", "40", "2", "--wait", "-o", "json"];
    const { state } = JSON.parse(must(command, [...sum, "--port", String(port)], at));
    if (state !== "completed") throw new Error(`The instance is ${state}`);
    checkFailure(folder, argv, env);
    const isProgram = readlinkSync(`/proc/${pid}/exe`).endsWith("/bin/jobctl");
    if (isProgram !== (expects === "program")) throw new Error(`The daemon is not a ${expects}`);
    process.kill(pid, "SIGTERM");
    await exit;
  } finally {
    clearTimeout(timer);
    try {
      process.kill(-daemon.pid, "SIGKILL");
    } catch {
      // All of them have ended.
    }
  }
}

/** Exit codes and standard error equal jobctl's. */
function checkFailure(folder, [command, ...args], env) {
  const { status, stderr } = spawnSync(command, [...args, "no-such-verb"], {
    cwd: folder,
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", ...env },
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  if (status !== 2 || !stderr.includes("no-such-verb")) {
    throw new Error(`A wrong verb ends with ${status}: ${stderr}`);
  }
}

/** Wait until the daemon reports its address. @returns its process id */
async function listening(daemon, port) {
  const lines = [];
  for await (const line of createInterface({ input: daemon.stderr })) {
    lines.push(line);
    if (line.includes(`:${port}`)) {
      daemon.stderr.resume();
      return processOnPort(port);
    }
  }
  throw new Error(`The daemon has ended:\n${lines.join("\n")}`);
}

/** The process that listens on a loopback port, by the kernel's tables. */
function processOnPort(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFileSync(path, "utf8"));
  const row = tables.join("\n").split("\n").map((line) => line.trim().split(/\s+/))
    .find(([, local, , state]) => local?.endsWith(`:${hex}`) && state === "0A");
  const link = `socket:[${row?.[9]}]`;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const descriptors = readdirSync(`/proc/${pid}/fd`);
      if (descriptors.some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === link)) {
        return Number(pid);
      }
    } catch {
      // It has ended, or closed a file, meanwhile.
    }
  }
  throw new Error(`No process listens on port ${port}`);
}
