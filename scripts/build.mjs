// Builds dist/jobctl, the one file.
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isMain } from "./is_main.mjs";
import { compile } from "./compile.mjs";
import { sourceFacts } from "./facts.mjs";
import { hostTarget } from "./release/targets.mjs";
import { copyRuntime, installedRuntime } from "./runtime_copy.mjs";
import { install, ROOT } from "./tasks.mjs";

/** Compile src/main.ts and the entries of its threads into dist/jobctl. */
export function build() {
  const folder = join(ROOT, "dist", `.build-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // A failing build ends the process.
  process.once("exit", remove);
  const target = hostTarget();
  compile(join(folder, "jobctl"), {
    runtime: copyRuntime(join(folder, "runtime"), installedRuntime()),
    hasSourceMaps: true,
    facts: {
      ...{ target: target.name, ...sourceFacts() },
      publicKey: process.env.JOBCTL_PUBLIC_KEY || null,
    },
  });
  // A running daemon keeps its file, and no reader meets half of one.
  renameSync(join(folder, "jobctl"), join(ROOT, "dist", "jobctl"));
  remove();
}

if (isMain(import.meta.url)) {
  install();
  build();
}
