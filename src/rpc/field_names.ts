import { NAMED_OPTIONS } from "../core/job/run_options.ts";
import { snakeCase } from "../core/text/snake_case.ts";

/** Fields by the options of the library. */
const FIELDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(NAMED_OPTIONS.map(({ name, field }) => [name, field])),
  instanceId: "uuid",
  kinds: "query.kinds",
};

/** The field of a request that has an option of the library; a field is returned unchanged. */
export function fieldOf(option: string): string {
  return FIELDS[option] ?? snakeCase(option);
}

/**
 * The same in the JSON of the HTTP API.
 *
 * @param hasBody false if the members of the field `query` are parameters of the URL
 */
export function memberOf(option: string, hasBody: boolean): string {
  const field = fieldOf(option).replace(/uuid(?=s?(?:\[\d+\])?$)/, "id");
  return hasBody ? field : field.replace(/^query\./, "");
}
