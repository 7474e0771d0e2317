// The platforms that have a package with a compiled program.

const TARGETS = [
  { target: "linux-x64", os: "linux", cpu: "x64", libc: "glibc" },
  { target: "linux-arm64", os: "linux", cpu: "arm64", libc: "glibc" },
  { target: "linux-x64-musl", os: "linux", cpu: "x64", libc: "musl" },
  { target: "linux-arm64-musl", os: "linux", cpu: "arm64", libc: "musl" },
  { target: "darwin-x64", os: "darwin", cpu: "x64" },
  { target: "darwin-arm64", os: "darwin", cpu: "arm64" },
  { target: "windows-x64", os: "win32", cpu: "x64" },
];

/**
 * Of each: the target as archives name it, its package, the file of the program in it, and the values of
 * `os`, `cpu` and `libc` in package.json. contrib/npm/jobctl.js builds the same names.
 */
export const PLATFORMS = TARGETS.map((platform) => ({
  ...platform,
  name: `@ts-job/cli-${platform.os}-${platform.cpu}${platform.libc === "musl" ? "-musl" : ""}`,
  program: platform.os === "win32" ? "bin/jobctl.exe" : "bin/jobctl",
}));
