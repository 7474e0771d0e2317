import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readSystemFile } from "../files/read_file.ts";

/** Where systemctl is looked up: never in our own PATH. */
const PATH = "/usr/bin:/bin";
const UNIT = /^[\w@:.\\-]+\.service$/;
const ANSWER_MS_MAX = 3_000;
const OUTPUT_BYTES_MAX = 65_536;

/**
 * The name of the unit of systemd that a process runs in, by the text of its /proc/PID/cgroup; null
 * if it is in none. A unit may have groups of its own below it.
 */
export function unitOf(cgroups: string): string | null {
  // Version 2 has a line "0::", version 1 one for systemd. A host may have both and use one.
  const lines = cgroups.split("\n").filter((each) => /^(?:0:|\d+:name=systemd):\//.test(each));
  const units = lines.map((line) => line.split("/").findLast((part) => UNIT.test(part)));
  return units.find((unit) => unit !== undefined) ?? null;
}

/** What systemd is doing with a unit, by the output of `systemctl list-jobs`; null if nothing. */
export function jobTypeOf(unit: string, list: string): string | null {
  for (const line of list.split("\n")) {
    const [id = "", name, type] = line.trim().split(/\s+/);
    if (/^\d+$/.test(id) && name === unit) return type ?? null;
  }
  return null;
}

/**
 * What systemd is doing at the moment with the unit that this process runs in, such as "stop" or
 * "restart": a signal alone does not say it.
 *
 * @returns null if it does nothing with it, cannot be asked, or did not start this process
 */
export async function unitJob(): Promise<string | null> {
  if (!existsSync("/run/systemd/system")) return null;
  const unit = unitOf(readSystemFile("/proc/self/cgroup") ?? "");
  if (unit === null) return null;
  const args = ["list-jobs", "--full", "--no-legend", "--no-pager", unit];
  const limits = { timeout: ANSWER_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX };
  const list = await new Promise<string>((resolve) => {
    execFile("systemctl", args, { env: { PATH }, ...limits }, (error, stdout) => {
      resolve(error === null ? stdout : "");
    });
  });
  return jobTypeOf(unit, list);
}
