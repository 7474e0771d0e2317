import { readFileSync, readlinkSync } from "node:fs";

/** IANA name of the host's time zone, as its daemons use it. Ignores this process's `TZ`. */
export function hostTimezone(): string {
  return fromLink() ?? fromFile() ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function fromLink(): string | null {
  try {
    return /zoneinfo\/(?:posix\/|right\/)?([A-Za-z].*)$/.exec(readlinkSync("/etc/localtime"))
      ?.[1] ??
      null;
  } catch {
    // No link: a copy of the zone's file, or none.
    return null;
  }
}

function fromFile(): string | null {
  try {
    const name = readFileSync("/etc/timezone", "utf8").trim();
    return /^[A-Za-z][\w+/-]*$/.test(name) ? name : null;
  } catch {
    // Not every system has it.
    return null;
  }
}
