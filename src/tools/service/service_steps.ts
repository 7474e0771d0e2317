import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { shellWord } from "../../core/text/shell_word.ts";
import { isAccount } from "../../platform/system/accounts.ts";
import {
  CONFIG_DEFAULT,
  type ServiceKind,
  type ServiceSettings,
  STATE_FOLDER,
  USER_DEFAULT,
} from "./service_settings.ts";

/** The name of the configuration that `jobctl init` writes. */
const INIT_NAME = "config.toml";

/** The service that is wanted. */
type WantedService = Pick<ServiceSettings, "user" | "config">;

/** The command that installs a service. */
export function installCommand({ user, config }: WantedService): string {
  const who = user === null ? " --root" : user === USER_DEFAULT ? "" : ` --user ${shellWord(user)}`;
  const option = config === CONFIG_DEFAULT ? "" : ` --config ${shellWord(config)}`;
  return `sudo jobctl install-service${who}${option}`;
}

/** The commands that create the missing parts of a service, in order. */
export function missingSteps({ user, config }: WantedService, kind: ServiceKind): string[] {
  const hasConfig = existsSync(config);
  const isWritten = hasConfig || basename(config) !== INIT_NAME;
  return [
    ...(user === null || isAccount(user) ? [] : addUserCommands(kind, user)),
    ...(isWritten ? [] : [`sudo jobctl init ${shellWord(dirname(config))}`]),
    ...(hasConfig ? [] : [checkCommand(config)]),
  ];
}

/** The command that checks the configuration of a service. */
export function checkCommand(config: string): string {
  return `sudo jobctl check --config ${shellWord(config)}`;
}

/** The command that creates a daemon's user; none for macOS, where people create users. */
function addUserCommands(kind: ServiceKind, user: string): string[] {
  switch (kind) {
    case "systemd":
      return [
        `sudo useradd --system --user-group --home-dir ${STATE_FOLDER} --shell /usr/sbin/nologin ${user}`,
      ];
    case "openrc":
      return [
        `sudo addgroup -S ${user}`,
        `sudo adduser -S -D -H -h ${STATE_FOLDER} -s /sbin/nologin -G ${user} ${user}`,
      ];
    case "launchd":
      return [];
  }
}
