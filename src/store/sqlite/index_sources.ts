import { stateIndex } from "../ledger/tables/row.ts";
import type { Index } from "../ledger/tables/tables.ts";
import type { Kinds } from "./kinds.ts";
import type { Value } from "./statements.ts";

/** The index of SQLite to read, with the condition and values that select its part. */
export function sourceOf(kinds: Kinds, index: Index): [string, ...Value[]] {
  switch (index.type) {
    case "all":
      return ["WHERE"];
    case "idPrefix":
      return [
        "INDEXED BY instance_id WHERE id >= ? AND id < ? AND",
        index.idPrefix,
        `${index.idPrefix}\u{10ffff}`,
      ];
    case "kindState": {
      const source = "INDEXED BY instance_kind_state WHERE kind = ? AND state = ? AND";
      return [source, kinds.knownId(index.kind), stateIndex(index.state)];
    }
    case "schedule":
      return sparse("schedule_id", "instance_schedule", index.scheduleId);
    case "openSchedule":
      return [
        `INDEXED BY instance_open_schedule
         WHERE schedule_id = ? AND schedule_id IS NOT NULL AND state < 3 AND`,
        index.scheduleId,
      ];
    case "uniqueKey":
      return sparse("unique_key", "instance_unique_key", index.uniqueKey);
    case "retryOf":
      return sparse("retry_of", "instance_retry_of", index.retryOf);
  }
}

// SQLite takes an index over the rows that have a value only when the condition says so itself.
function sparse(column: string, index: string, value: string): [string, string] {
  return [`INDEXED BY ${index} WHERE ${column} = ? AND ${column} IS NOT NULL AND`, value];
}
