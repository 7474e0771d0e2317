// The platforms with a package of a compiled program: all targets of a release.
import { programName, TARGETS } from "../release/targets.mjs";

/**
 * For each platform: the target as archives name it, its package, the program's file in it, and the
 * values of `os`, `cpu` and `libc` in package.json. contrib/npm/jobctl.js builds the same names.
 */
export const PLATFORMS = TARGETS.map((target) => {
  const [system, cpu, musl] = target.name.split("-");
  const os = system === "windows" ? "win32" : system;
  return {
    target: target.name,
    ...{ os, cpu },
    ...(os === "linux" ? { libc: musl ?? "glibc" } : {}),
    name: `@ts-job/cli-${os}-${cpu}${musl === undefined ? "" : "-musl"}`,
    program: `bin/${programName(target)}`,
  };
});
