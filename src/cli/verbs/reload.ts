import { makeVisible } from "../../core/safe_text.ts";
import type { Verb } from "../verb.ts";
import { RELOAD_VIEW } from "../views/record_views.ts";

/** `jobctl reload` */
export const RELOAD: Verb = {
  name: "reload",
  summary: "Load the daemon's configuration again, all of it or nothing",
  details:
    "As a SIGHUP does, but the answer says what came of it: with any problem the old configuration stays. " +
    "So it does when more than half of the jobs would be removed, as by a file that is empty or cut off, unless --force is given.",
  words: [],
  options: {
    force: { describe: "Also when more than half of the jobs are removed", isFlag: true },
  },
  examples: [
    ["jobctl check && jobctl reload", "Look at the configuration, then take it over"],
    ["jobctl reload --force", "Most jobs are to go"],
  ],
  isClient: true,
  async run(args, { client, printer, io }) {
    const report = await (await client()).reloadConfig({ force: args.flag("force") });
    await printer.one(RELOAD_VIEW, report);
    for (const section of report.restart) {
      const text = `[${makeVisible(section)}] has changed: restart the daemon for it`;
      await io.stderr.write(`${text}\n`);
    }
    return 0;
  },
};
