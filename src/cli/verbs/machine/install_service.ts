import { resolve } from "node:path";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { selfCommand } from "../../../platform/system/runtime.ts";
import type { ServiceResult, ServiceTarget } from "../../../tools/service/install_service.ts";
import { SERVICE_KINDS } from "../../../tools/service/service_settings.ts";
import type { Args } from "../../parsing/args.ts";
import type { OptionSpecs } from "../../parsing/options.ts";
import type { Verb, VerbContext } from "../../verb/verb.ts";

const TARGET_OPTIONS: OptionSpecs = {
  kind: {
    value: "NAME",
    describe: "The service manager (default: the one of this system)",
    choices: [...SERVICE_KINDS],
  },
  prefix: {
    value: "DIR",
    describe: "Use this folder in place of /, and run no commands, for example to build an image",
    offers: "folder",
  },
  sockets: {
    describe: "The socket unit of systemd that keeps the daemon's ports open while it restarts",
    isFlag: true,
  },
  "dry-run": { describe: "Print the file and the commands, and change nothing", isFlag: true },
};

async function targetOf(args: Args, { io }: VerbContext): Promise<ServiceTarget> {
  const { detectKind, serviceUser } = await import("../../../tools/service/install_service.ts");
  const prefix = args.text("prefix");
  const kind = args.text("kind") as ServiceTarget["kind"] | undefined;
  return {
    kind: kind ?? detectKind(),
    user: serviceUser(args.text("user"), args.flag("root")),
    prefix: prefix === undefined ? null : resolve(io.cwd, prefix),
    isDryRun: args.flag("dry-run"),
    isForced: args.flag("force"),
    isSocket: args.flag("sockets"),
  };
}

async function report(
  { path, text, commands, notes, next }: ServiceResult,
  { printer }: VerbContext,
  isDryRun: boolean,
): Promise<void> {
  const did = text === null ? ["Remove", "Removed"] : ["Write", "Wrote"];
  const value = { path, text, commands, notes, next, dry_run: isDryRun };
  await printer.details(
    value,
    path,
    [
      ...(isDryRun && text !== null ? [...text.trimEnd().split("\n"), ""] : []),
      `${isDryRun ? `Would ${did[0]!.toLowerCase()}` : did[1]} ${path}`,
      ...commands.map((command) => `${isDryRun ? "Would run" : "Ran"} ${command}`),
      ...notes,
      ...(next.length === 0 ? [] : ["", "Next:", ...next.map((command) => `  ${command}`)]),
    ].map((line) => makeVisible(line)),
  );
}

/** `jobctl install-service` */
export const INSTALL_SERVICE: Verb = {
  name: "install-service",
  summary: "Install this program as a service of systemd, OpenRC or launchd, and start it",
  details: [
    "Writes one file and creates nothing else: systemd and OpenRC create the folders of the",
    "daemon. The user and the configuration must exist; otherwise it names the commands that make",
    "them. --dry-run shows the same before they exist. A file of the same name that was changed or",
    "that something else wrote is replaced only with --force.",
  ].join(" "),
  options: {
    user: {
      value: "USER",
      describe: "The daemon's user, who also runs all jobs (default: jobctl)",
      offers: "user",
    },
    root: { describe: "Run the daemon as root, and its jobs as any user", isFlag: true },
    ...TARGET_OPTIONS,
    config: {
      value: "FILE",
      alias: "c",
      describe: "Configuration file (default: /etc/jobctl/config.toml)",
      offers: "file",
      env: "JOBCTL_CONFIG",
    },
    "no-start": { describe: "Do not start the service, now or at boot", isFlag: true },
    force: {
      describe: "Replace the file even if something else wrote or changed it",
      isFlag: true,
    },
  },
  examples: [
    ["jobctl install-service --dry-run", "Show the unit and the commands"],
    [
      "jobctl install-service --kind systemd --prefix image --dry-run",
      "The same on a machine without systemd",
    ],
    ["sudo jobctl install-service", "Run as user jobctl, with /etc/jobctl/config.toml"],
    ["sudo jobctl install-service --root", "Let jobs run as other users"],
    ["sudo jobctl install-service --sockets", "Keep its ports open at restarts: stop it before"],
  ],
  isOffline: true,
  async run(args, context) {
    const { io } = context;
    const { installService } = await import("../../../tools/service/install_service.ts");
    const target = await targetOf(args, context);
    const config = args.text("config");
    const result = await installService({
      ...target,
      argv: selfCommand(),
      config: config === undefined ? null : resolve(io.cwd, config),
      isStarted: !args.flag("no-start"),
      env: io.env,
    });
    await report(result, context, target.isDryRun);
  },
};

/** `jobctl uninstall-service` */
export const UNINSTALL_SERVICE: Verb = {
  name: "uninstall-service",
  summary: "Stop the service that install-service installed, and remove its file",
  details: [
    "Removes only what install-service wrote. The configuration, the database and the user are kept.",
    "A file that was changed is removed only with --force.",
  ].join(" "),
  options: {
    root: { describe: "Remove the service that was installed with --root", isFlag: true },
    ...TARGET_OPTIONS,
    force: { describe: "Remove the file even if something else wrote or changed it", isFlag: true },
  },
  examples: [
    ["sudo jobctl uninstall-service", "Stop and remove the service"],
    ["sudo jobctl uninstall-service --root", "The one that was installed with --root"],
  ],
  isOffline: true,
  async run(args, context) {
    const { uninstallService } = await import("../../../tools/service/install_service.ts");
    const target = await targetOf(args, context);
    await report(uninstallService(target), context, target.isDryRun);
  },
};
