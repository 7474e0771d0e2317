import { makeVisible } from "../../../core/text/safe_text.ts";
import { EXIT } from "../../exit_codes.ts";
import type { Verb } from "../../verb.ts";
import { RELOAD_VIEW } from "../../views/record_views.ts";

/** `jobctl reload` */
export const RELOAD: Verb = {
  name: "reload",
  summary: "Reload the daemon's configuration",
  details: [
    "Does the same as a SIGHUP, and reports the outcome. A job with a problem is disabled. If an",
    "included file cannot be read, its jobs stay as they are. With any other problem the old",
    "configuration stays. It also stays if more than half of the jobs would be removed or",
    "disabled, for example by an empty or truncated file, unless --force is given. Problems are",
    "reported on stderr, and the exit code is then 2.",
  ].join(" "),
  options: {
    force: {
      describe: "Reload even if more than half of the jobs would be removed or disabled",
      isFlag: true,
    },
  },
  examples: [
    ["jobctl check && jobctl reload", "Check the configuration, then apply it"],
    ["jobctl reload --force", "Remove most jobs on purpose"],
  ],
  async run(args, { client, printer, io }) {
    const report = await (await client()).reloadConfig({ force: args.flag("force") });
    await printer.one(RELOAD_VIEW, report);
    for (const section of report.restart) {
      const text = `[${makeVisible(section)}] has changed: restart the daemon to apply it`;
      await io.stderr.write(`${text}\n`);
    }
    for (const problem of report.problems) await io.stderr.write(`${makeVisible(problem)}\n`);
    return report.problems.length === 0 ? 0 : EXIT.usage;
  },
};
