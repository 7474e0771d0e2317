// Runs a Valkey and an etcd on free loopback ports, with their data in a temporary folder, until
// interrupted: npm run services
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installServers } from "./programs/install.mjs";

const READY_MS_MAX = 20_000;
const STOP_MS_MAX = 5_000;
/** Characters of a failed server's output that are shown. */
const OUTPUT_MAX = 4_000;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * Start a program and wait until it reports that it is ready. It gets its own process group, so
 * that Ctrl-C reaches only this process.
 */
function startServer({ name, args, ready }, running) {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    const fail = (what) => reject(new Error(`Cannot start ${name}: it ${what}\n${output}`));
    const timer = setTimeout(() => fail(`was not ready within ${READY_MS_MAX} ms`), READY_MS_MAX);
    const read = (text) => {
      output = (output + text).slice(-OUTPUT_MAX);
      if (!output.includes(ready)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    child.once("error", (error) => fail(`does not run: ${error.message}`));
    const exited = new Promise((done) => child.once("exit", done));
    void exited.then(() => {
      clearTimeout(timer);
      fail("ended");
    });
    running.push({ name, child, exited });
  });
}

async function stopServer({ child, exited }) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  await exited;
  clearTimeout(timer);
}

function valkey(folder, port) {
  const data = join(folder, "valkey");
  mkdirSync(data);
  const options = { bind: "127.0.0.1", port, dir: data, appendonly: "yes", save: "" };
  return {
    name: "valkey-server",
    args: Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]),
    ready: "Ready to accept connections",
  };
}

function etcd(folder, clientPort, peerPort) {
  const clientUrl = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const options = {
    "name": "services",
    "data-dir": join(folder, "etcd"),
    "listen-client-urls": clientUrl,
    "advertise-client-urls": clientUrl,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `services=${peerUrl}`,
  };
  return {
    name: "etcd",
    args: Object.entries(options).map(([key, value]) => `--${key}=${value}`),
    ready: "ready to serve client requests",
  };
}

async function main() {
  const trouble = installServers();
  if (trouble !== null) throw new Error(trouble);
  const interrupted = new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, resolve);
  });
  const folder = mkdtempSync(join(tmpdir(), "jobctl-services-"));
  const running = [];
  try {
    const [valkeyPort, etcdPort, peerPort] = [await freePort(), await freePort(), await freePort()];
    await startServer(valkey(folder, valkeyPort), running);
    await startServer(etcd(folder, etcdPort, peerPort), running);
    console.log(`export JOBCTL_TEST_VALKEY=valkey://127.0.0.1:${valkeyPort}`);
    console.log(`export JOBCTL_TEST_ETCD=etcd://127.0.0.1:${etcdPort}`);
    console.error(`Both run until Ctrl-C; their data in ${folder} goes with them`);
    const ends = running.map(({ name, exited }) => exited.then(() => name));
    const ended = await Promise.race([interrupted.then(() => null), ...ends]);
    if (ended !== null) throw new Error(`${ended} ended by itself`);
  } finally {
    await Promise.all(running.map(stopServer));
    rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
