import { resolve } from "node:path";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { isWindows } from "../../../platform/system/runtime.ts";
import type { Verb } from "../../verb/verb.ts";

/** `jobctl init [DIRECTORY]` */
export const INIT: Verb = {
  name: "init",
  summary: "Write a configuration with comments, an example job and the types for jobs",
  details: [
    "Works without a daemon. Overwrites nothing unless --force is given. In /etc/jobctl it writes",
    "the configuration of the service, and names the commands that install it.",
  ].join(" "),
  words: [{
    name: "DIRECTORY",
    describe: "Where to write them (default: this folder)",
    offers: "folder",
    isOptional: true,
  }],
  options: { force: { describe: "Overwrite existing files", isFlag: true } },
  examples: [
    ["jobctl init my-jobs", "Start a project in the folder my-jobs"],
    ["sudo jobctl init /etc/jobctl", "Write the configuration of the service"],
  ],
  isOffline: true,
  async run(args, { io, printer }) {
    const { initProject, serviceOfFolder } = await import("../../../tools/init.ts");
    const directory = resolve(io.cwd, args.word("DIRECTORY") || ".");
    const { written, next } = initProject(directory, {
      force: args.flag("force"),
      isWindows: isWindows(),
      service: serviceOfFolder(directory),
    });
    await printer.details({ directory, written, next }, directory, [
      ...written.map((path) => `Wrote ${makeVisible(path)}`),
      "",
      "Next:",
      ...next.map((command) => `  ${makeVisible(command)}`),
    ]);
  },
};
