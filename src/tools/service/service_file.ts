import { createHash } from "node:crypto";
import { LAUNCHD_LABEL, launchdPlist } from "./launchd_plist.ts";
import { openrcScript } from "./openrc_script.ts";
import type { ServiceKind, ServiceSettings } from "./service_settings.ts";
import { systemdUnit, systemdUnitName } from "./systemd_unit.ts";

/** A service's file, and the commands that apply it. */
export interface ServiceFile {
  /** Absolute, below the root of the system. */
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** Run after the file was written or removed. */
  readonly reload: readonly (readonly string[])[];
  /** Run to start the service now and at each boot. */
  readonly enable: readonly (readonly string[])[];
  /** Run before the file is removed. */
  readonly disable: readonly (readonly string[])[];
  /** Command that shows the state of the service. */
  readonly status: string;
  /** Commands to run by hand after enabling it; absent for none. */
  readonly next?: readonly (readonly string[])[];
}

/** The file of a service, without a {@link signed} line. */
export function serviceFile(kind: ServiceKind, settings: ServiceSettings): ServiceFile {
  switch (kind) {
    case "systemd": {
      const name = systemdUnitName(settings);
      return {
        path: `/etc/systemd/system/${name}`,
        text: systemdUnit(settings),
        mode: 0o644,
        reload: [["systemctl", "daemon-reload"]],
        enable: [["systemctl", "enable", "--now", name]],
        disable: [["systemctl", "disable", "--now", name]],
        status: `systemctl status ${name}`,
      };
    }
    case "openrc":
      return {
        path: "/etc/init.d/jobctl",
        text: openrcScript(settings),
        mode: 0o755,
        reload: [],
        enable: [["rc-update", "add", "jobctl", "default"], ["rc-service", "jobctl", "start"]],
        disable: [["rc-service", "jobctl", "stop"], ["rc-update", "delete", "jobctl", "default"]],
        status: "rc-service jobctl status",
      };
    case "launchd": {
      const path = `/Library/LaunchDaemons/${LAUNCHD_LABEL}.plist`;
      return {
        path,
        text: launchdPlist(settings),
        mode: 0o644,
        reload: [],
        enable: [["launchctl", "bootstrap", "system", path]],
        disable: [["launchctl", "bootout", `system/${LAUNCHD_LABEL}`]],
        status: `launchctl print system/${LAUNCHD_LABEL}`,
      };
    }
  }
}

const WRITTEN =
  "Written by jobctl install-service; jobctl uninstall-service removes it unless it was changed.";
const SIGNED = /^(?:# |<!-- )Written by jobctl install-service;.* sha256:([0-9a-f]{64})(?: -->)?$/m;

/** The text with a line that {@link originOf} recognizes. */
export function signed(text: string): string {
  const line = `${WRITTEN} sha256:${hashOf(text)}`;
  const [first, ...rest] = text.split("\n");
  // The first line of a script and of XML stays the first.
  if (text.startsWith("<?xml")) return [first, `<!-- ${line} -->`, ...rest].join("\n");
  if (text.startsWith("#!")) return [first, `# ${line}`, ...rest].join("\n");
  return `# ${line}\n${text}`;
}

/** Author of a service file's text: we, someone who changed ours, or someone else. */
export function originOf(text: string): "ours" | "changed" | "foreign" {
  const found = SIGNED.exec(text);
  if (found === null) return "foreign";
  const without = text.replace(`${found[0]}\n`, "");
  return hashOf(without) === found[1] ? "ours" : "changed";
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
