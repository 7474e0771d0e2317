// Installs, builds and runs the daemon with the example configuration.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { build } from "./build.mjs";
import { install, ROOT } from "./tasks.mjs";

/** A signal that arrives twice within this time, from the terminal and from npm, counts once. */
const REPEAT_MS = 500;
const SETPRIV = "/usr/bin/setpriv";

install();
build();

const serve = [join(ROOT, "dist", "jobctl"), "serve", "--config", "config.example.toml"];
serve.push(...process.argv.slice(2));
// The daemon gets its own process group: a second signal would cut its drain short. Where possible,
// it gets a SIGTERM when this process dies.
const command = process.platform === "linux" && existsSync(SETPRIV)
  ? [SETPRIV, "--pdeathsig", "TERM", "--", ...serve]
  : serve;
const daemon = spawn(command[0], command.slice(1), { cwd: ROOT, stdio: "inherit", detached: true });

let lastSignalAt = -Infinity;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    const now = performance.now();
    if (now - lastSignalAt < REPEAT_MS) return;
    lastSignalAt = now;
    // A closed terminal stops the daemon. To reload, send SIGHUP to the daemon itself.
    daemon.kill(signal === "SIGHUP" ? "SIGTERM" : signal);
  });
}
daemon.on("error", (error) => {
  console.error(`Cannot run "${command[0]}": ${error.message}`);
  process.exit(1);
});
daemon.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
