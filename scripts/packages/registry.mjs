// A registry for npm packages on loopback: verdaccio, which forwards requests for others.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { nodeProgram } from "../programs/npm_programs.mjs";
import { ROOT } from "../tasks.mjs";

const HOME = join(ROOT, "dist", "verdaccio");

/** Some mirrors of the npm registry lack the tag "cjs", which verdaccio requests of node-fetch. */
const MANIFEST = {
  private: true,
  dependencies: { verdaccio: "6.10.4" },
  overrides: { "node-fetch": "2.7.0" },
};

const START_MS = 60_000;

function installRegistry() {
  if (existsSync(join(HOME, "node_modules", "verdaccio"))) return;
  mkdirSync(HOME, { recursive: true });
  writeFileSync(join(HOME, "package.json"), JSON.stringify(MANIFEST));
  const flags = ["--no-fund", "--no-audit", "--ignore-scripts", "--loglevel=error"];
  const { status } = spawnSync("npm", ["install", ...flags], { cwd: HOME, stdio: "inherit" });
  if (status !== 0) throw new Error("Cannot install verdaccio: npm failed, see above");
}

/** A port without a listener. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Start an empty registry.
 *
 * @param folder for its files
 * @returns `{ url, npmrc, stop }`: its address, and the file with the settings for npm and pnpm
 */
export async function startRegistry(folder) {
  installRegistry();
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const uplink = spawnSync("npm", ["config", "get", "registry"], { encoding: "utf8" });
  const config = {
    storage: join(folder, "storage"),
    auth: { htpasswd: { file: join(folder, "htpasswd") } },
    uplinks: { npm: { url: uplink.stdout.trim(), maxage: "60m", timeout: "60s" } },
    packages: {
      "@ts-job/*": { access: "$all", publish: "$all" },
      "ts-job": { access: "$all", publish: "$all" },
      "**": { access: "$all", proxy: "npm" },
    },
    max_body_size: "400mb",
    log: { type: "stdout", format: "json", level: "warn" },
  };
  // JSON is YAML.
  writeFileSync(join(folder, "config.yaml"), JSON.stringify(config));
  const program = join(HOME, "node_modules", "verdaccio", "bin", "verdaccio");
  const args = [program, "--config", join(folder, "config.yaml"), "--listen", `127.0.0.1:${port}`];
  const child = spawn(nodeProgram(24), args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  });
  const url = `http://127.0.0.1:${port}/`;
  await answers(`${url}-/ping`, child);
  const npmrc = join(folder, "npmrc");
  writeFileSync(npmrc, `registry=${url}\n//127.0.0.1:${port}/:_authToken=none\n`);
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  return { url, npmrc, stop };
}

async function answers(url, child) {
  const end = Date.now() + START_MS;
  while (Date.now() < end) {
    if (child.exitCode !== null) break;
    const isUp = await fetch(url).then(({ ok }) => ok, () => false);
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  child.kill("SIGKILL");
  throw new Error("Cannot start verdaccio: it does not answer");
}
