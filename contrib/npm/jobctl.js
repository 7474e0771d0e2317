#!/usr/bin/env node
// Runs jobctl: the compiled program of this platform's package, or dist/main.js if that package was
// not installed.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const { platform, arch } = process;

/** Without these, the system cannot start a program that was linked with the library. */
const LOADERS = {
  "": { x64: "/lib64/ld-linux-x86-64.so.2", arm64: "/lib/ld-linux-aarch64.so.1" },
  "-musl": { x64: "/lib/ld-musl-x86_64.so.1", arm64: "/lib/ld-musl-aarch64.so.1" },
};

const require = createRequire(import.meta.url);

/**
 * Path of a package's manifest. `require` would also look in NODE_PATH and in the home folder, which
 * may be another user's, as with sudo on macOS. With Plug'n'Play it looks in neither.
 */
function manifestOf(name) {
  const path = `${name}/package.json`;
  return process.versions.pnp ? require.resolve(path) : fileURLToPath(import.meta.resolve(path));
}

/** Path of the compiled program; null if there is none for this machine. */
function findProgram() {
  const { version } = require("../package.json");
  for (const suffix of platform === "linux" ? ["", "-musl"] : [""]) {
    if (platform === "linux" && !existsSync(LOADERS[suffix][arch] ?? "")) continue;
    try {
      const manifest = manifestOf(`@ts-job/cli-${platform}-${arch}${suffix}`);
      const program = join(dirname(manifest), "bin", platform === "win32" ? "jobctl.exe" : "jobctl");
      // A package that another installation left above this one may be older.
      if (JSON.parse(readFileSync(manifest, "utf8")).version !== version) continue;
      if (existsSync(program)) return program;
    } catch {
      // Not installed. Each runtime has an error of its own for that.
    }
  }
  return null;
}

/** Become the program; only if the runtime cannot do that, run it as a child and end like it. */
function runProgram(program) {
  const args = process.argv.slice(2);
  if (typeof process.execve === "function" && platform !== "win32") {
    // The runtime ignores these, and a program inherits that; what has a handler becomes the default.
    for (const signal of ["SIGPIPE", "SIGXFSZ"]) process.on(signal, () => {});
    process.execve(program, [program, ...args], process.env);
  }
  // The keys of a terminal reach the child directly.
  const isTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const signals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];
  const fromKeys = new Set(["SIGINT", "SIGHUP", "SIGQUIT"]);
  // Before the start: a signal between both would end only this process.
  for (const signal of platform === "win32" ? ["SIGINT", "SIGHUP"] : signals) {
    process.on(signal, () => {
      if (platform !== "win32" && !(isTerminal && fromKeys.has(signal))) child.kill(signal);
    });
  }
  const child = spawn(program, args, { stdio: "inherit" });
  child.on("error", (error) => {
    process.stderr.write(`jobctl: Cannot run "${program}": ${error.message}\n`);
    process.exit(127);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of signals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
    // A signal that did not end this process: the code that a shell reports.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 1_000);
  });
}

/** True if this runtime can run dist/main.js. */
function canRunHere() {
  const { bun, deno, node } = process.versions;
  const [major, minor] = node.split(".").map(Number);
  return bun !== undefined || deno !== undefined || major > 22 || (major === 22 && minor >= 18);
}

const program = findProgram();
if (program !== null) {
  runProgram(program);
} else if (canRunHere()) {
  await import("../dist/main.js");
} else {
  process.stderr.write(
    `jobctl: Cannot run on Node ${process.versions.node} without the package of this platform\n` +
      `hint: Install ts-job with its optional dependencies, or use Node 22.18 or newer\n`,
  );
  process.exitCode = 1;
}
