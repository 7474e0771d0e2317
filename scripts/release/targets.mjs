// The systems that a release is for. Plain Node 20.
import { closeSync, openSync, readSync } from "node:fs";
import { installedRuntime } from "../runtime_copy.mjs";

/**
 * Name of a release, of Bun's npm package, and of the system in Bun.
 *
 * Bun's program for x64 runs on every processor since 2008 (SSE4.2) and uses AVX2 where it is
 * there: its "baseline" package has the same bytes.
 */
export const TARGETS = [
  { name: "linux-x64", runtime: "bun-linux-x64", bunTarget: "bun-linux-x64" },
  { name: "linux-arm64", runtime: "bun-linux-aarch64", bunTarget: "bun-linux-arm64" },
  { name: "linux-x64-musl", runtime: "bun-linux-x64-musl", bunTarget: "bun-linux-x64-musl" },
  {
    name: "linux-arm64-musl",
    runtime: "bun-linux-aarch64-musl",
    bunTarget: "bun-linux-arm64-musl",
  },
  { name: "darwin-x64", runtime: "bun-darwin-x64", bunTarget: "bun-darwin-x64" },
  { name: "darwin-arm64", runtime: "bun-darwin-aarch64", bunTarget: "bun-darwin-arm64" },
  { name: "windows-x64", runtime: "bun-windows-x64", bunTarget: "bun-windows-x64" },
];

/** The system of this machine, as a target of {@link TARGETS}. */
export function hostTarget() {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const isMusl = system === "linux" && headOf(installedRuntime()).includes("/ld-musl-");
  const name = `${system}-${process.arch}${isMusl ? "-musl" : ""}`;
  return TARGETS.find((target) => target.name === name) ?? { name };
}

/** Name of the program in the archive. */
export function programName({ name }) {
  return name.startsWith("windows-") ? "jobctl.exe" : "jobctl";
}

/** The beginning of a program: it names the loader, and thereby the C library. */
function headOf(path) {
  const head = Buffer.alloc(4_096);
  const file = openSync(path);
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return head.toString("latin1");
}
