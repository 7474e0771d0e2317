import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readSystemFile } from "../files/read_file.ts";

/** Search path for systemctl: never our own PATH. */
const PATH = "/usr/bin:/bin";
const UNIT = /^[\w@:.\\-]+\.service$/;
/** On a busy host an answer takes seconds; without one, a restart would end running commands. */
const ANSWER_MS_MAX = 20_000;
const OUTPUT_BYTES_MAX = 65_536;
/** Values of KillMode= with which systemd leaves all processes but the first one alone. */
const LEAVING: ReadonlySet<string> = new Set(["process", "none"]);

/** Fate of the processes of our unit: a restart leaves the ones left by us. */
export type UnitFate = "restart" | "stop";

/**
 * The name of a process's systemd unit, by the text of its /proc/PID/cgroup; null without one. A
 * unit may have groups below it.
 */
export function unitOf(cgroups: string): string | null {
  // Version 2 has a line "0::", version 1 one for systemd. A host may have both and use one.
  const lines = cgroups.split("\n").filter((each) => /^(?:0:|\d+:name=systemd):\//.test(each));
  const units = lines.map((line) => line.split("/").findLast((part) => UNIT.test(part)));
  return units.find((unit) => unit !== undefined) ?? null;
}

/**
 * The pending action of systemd on a unit; null without one.
 *
 * @param jobs output of `systemctl list-jobs`
 * @param killMode value of its KillMode=
 */
export function fateOf(
  unit: string,
  { jobs, killMode }: { readonly jobs: string; readonly killMode: string },
): UnitFate | null {
  for (const line of jobs.split("\n")) {
    const [id = "", name, type] = line.trim().split(/\s+/);
    if (!/^\d+$/.test(id) || name !== unit) continue;
    // With another KillMode= systemd kills the processes that we would leave.
    return type === "restart" && LEAVING.has(killMode.trim()) ? "restart" : "stop";
  }
  return null;
}

/**
 * The pending action of systemd on the unit of this process: a signal alone does not reveal it.
 *
 * @returns null without one, if systemd cannot be queried, or if it did not start this process
 */
export async function unitFate(): Promise<UnitFate | null> {
  if (!existsSync("/run/systemd/system")) return null;
  const unit = unitOf(readSystemFile("/proc/self/cgroup") ?? "");
  if (unit === null) return null;
  const [jobs, killMode] = await Promise.all([
    systemctl("list-jobs", "--full", "--no-legend", unit),
    systemctl("show", "--property=KillMode", "--value", unit),
  ]);
  return fateOf(unit, { jobs, killMode });
}

/** The output of systemctl; empty if it fails. */
function systemctl(...args: readonly string[]): Promise<string> {
  const limits = { timeout: ANSWER_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX };
  return new Promise((resolve) => {
    execFile(
      "systemctl",
      ["--no-pager", ...args],
      { env: { PATH }, ...limits },
      (error, stdout) => {
        resolve(error === null ? stdout : "");
      },
    );
  });
}
