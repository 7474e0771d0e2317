// jobctl.toml(5), from the tables of keys.
import { readFileSync } from "node:fs";
import { JOB_SCHEMA } from "../../../src/config/job_keys.ts";
import { SCHEMA } from "../../../src/config/keys.ts";
import { NOTICE_SCHEMA } from "../../../src/config/notices/notice_keys.ts";
import type { Keys } from "../../../src/config/values/schema.ts";
import { describedKeys } from "./config_keys.ts";
import { bold, entry, literal, markdownText, page } from "./roff.ts";
import type { Edition } from "./verb_pages.ts";

/** The page about the configuration. */
export function configPage(edition: Edition): string {
  const example = readFileSync(new URL("../../../config.example.toml", import.meta.url), "utf8");
  return page({ name: "jobctl.toml", section: 5, ...edition }, [
    ["NAME", ["jobctl.toml \\- configuration of the daemon"]],
    ["DESCRIPTION", [
      `${bold("jobctl serve --config FILE")} starts the daemon with one TOML file, which packages`,
      `keep in ${bold("/etc/jobctl/config.toml")}. ${bold("jobctl check")} reads it as the daemon`,
      `does, ${bold("jobctl init")} writes a first one, and ${
        bold("jobctl export schema")
      } its JSON`,
      "Schema for editors.",
      ".PP",
      "Settings come from the built-in defaults, the file, the files that it includes, the",
      "environment, and the command line. Later ones override earlier ones, key by key. A relative",
      "path is relative to the file that names it.",
    ]],
    ["KEYS", entries(SCHEMA.keys, false)],
    ["NOTICES", [
      "Keys of a channel, a table " + bold("[notices.NAME]") + ":",
      ...entries(NOTICE_SCHEMA.keys),
    ]],
    ["JOBS", ["Keys of a job, a table " + bold("[jobs.KIND]") + ":", ...entries(JOB_SCHEMA.keys)]],
    ["EXAMPLES", literal(example.trimEnd().split("\n"))],
    ["SEE ALSO", [
      `${bold("jobctl")}(1),`,
      `${bold("jobctl-serve")}(1),`,
      `${bold("jobctl-check")}(1),`,
      `${bold("jobctl-init")}(1)`,
    ]],
  ]);
}

function entries(keys: Keys, isJob = true): string[] {
  return describedKeys(keys, { isJob }).flatMap(({ path, wanted, initial, doc, variable }) => [
    ...entry(bold(path), markdownText(doc)),
    ".br",
    `Value: ${markdownText(wanted)}. Default: ${markdownText(breakable(initial))}.` +
    (variable === null ? "" : ` Variable: ${bold(variable)}.`),
  ]);
}

/** A list in JSON with blanks between its items, where a line can end. */
function breakable(json: string): string {
  return json.replaceAll('","', '", "');
}
