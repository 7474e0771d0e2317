import { type JobError, renameOptions } from "../../core/errors.ts";
import { snakeCase } from "../../core/text/snake_case.ts";
import type { OptionSpecs } from "./options.ts";

/** Options that are named differently from their fields. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  after: "in",
  max_retries: "retries",
  exact_priority: "priority",
  arguments_json: "args-json",
  id: "uuid",
  kinds: "kind",
  states: "state",
  page_size: "limit",
};

/** The error of a call with its fields named as the verb's options. */
export function nameOptions(error: JobError, specs: OptionSpecs): JobError {
  const quote = (name: string) => name.startsWith("--") ? name : `"${name}"`;
  return renameOptions(error, (field) => optionOf(field, specs), quote);
}

/** @param field a field of a request, or an option of the library, which offline verbs call */
function optionOf(field: string, specs: OptionSpecs): string | undefined {
  const leaf = snakeCase(field.replace(/^.*\./, "").replace(/\[\d+\]$/, "")).replace(/_ms$/, "");
  const names = [OTHER_NAMES[leaf], leaf.replaceAll("_", "-")];
  const name = names.find((one) => one !== undefined && Object.hasOwn(specs, one));
  return name === undefined ? undefined : `--${name}`;
}
