import { readlinkSync } from "node:fs";
import { readSystemFile } from "./files/read_file.ts";

/** IANA name of the host's time zone, as its daemons use it. Ignores this process's `TZ`. */
export function hostTimezone(): string {
  // Not every system has this file.
  const name = readSystemFile("/etc/timezone")?.trim() ?? "";
  const fromFile = /^[A-Za-z][\w+/-]*$/.test(name) ? name : null;
  return fromLink() ?? fromFile ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function fromLink(): string | null {
  try {
    return /zoneinfo\/(?:posix\/|right\/)?([A-Za-z].*)$/.exec(readlinkSync("/etc/localtime"))
      ?.[1] ??
      null;
  } catch {
    // Not a link: a copy of the zone's file, or no file.
    return null;
  }
}
