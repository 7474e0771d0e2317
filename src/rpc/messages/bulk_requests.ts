import type { InstanceQuery } from "../../store/store.ts";
import type { Query } from "../gen/job_pb.ts";
import { readInstanceQuery, refuse } from "./requests.ts";

/**
 * Conditions of a cancel.
 *
 * @throws JobError `invalid_argument` for an empty query unless `all`
 */
export function readCancelQuery(query: Query | undefined, all: boolean): InstanceQuery {
  refusePages(query, "cancel");
  const conditions = readInstanceQuery(query);
  if (all || Object.keys(conditions).length > 0) return conditions;
  throw refuse(
    "query",
    "it is empty, and a cancel must say what to cancel",
    "Give a kind, a UUID or a state, or set all = true to cancel every unfinished instance",
  );
}

/**
 * Conditions on dead letters to run again.
 *
 * @throws JobError `invalid_argument` for an empty query unless `all`
 */
export function readRedriveQuery(query: Query | undefined, all: boolean): InstanceQuery {
  refusePages(query, "redrive");
  const conditions = readInstanceQuery(query);
  if (all || Object.keys(conditions).length > 0) return conditions;
  throw refuse(
    "query",
    "it is empty, and a redrive must say what to run again",
    "Give a kind or UUIDs, or set all = true to run every dead letter again",
  );
}

function refusePages(query: Query | undefined, what: string): void {
  for (const field of ["pageSize", "pageToken", "oldestFirst"] as const) {
    if (query?.[field] === undefined) continue;
    throw refuse("query", `a ${what} has no pages`, `It ${what}s everything that matches`);
  }
}
