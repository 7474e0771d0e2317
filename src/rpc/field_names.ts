import { snakeCase } from "../core/text/snake_case.ts";

/** Options of the library whose fields have other names than theirs in snake case. */
const FIELDS: Readonly<Record<string, string>> = {
  after: "after_ms",
  jitter: "jitter_ms",
  timeout: "timeout_ms",
  deadline: "deadline_ms",
  uniqueFor: "unique_for_ms",
  retries: "max_retries",
  id: "uuid",
  instanceId: "uuid",
  kinds: "query.kinds",
  startsAt: "recurrence.starts_at",
  endsAt: "recurrence.ends_at",
  blackout: "recurrence.blackout",
  runsMax: "recurrence.runs_max",
  queueMax: "recurrence.queue_max",
  misfireWithin: "recurrence.misfire_within_ms",
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
