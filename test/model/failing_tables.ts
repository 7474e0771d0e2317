import { JobError } from "../../src/core/errors.ts";
import type { InstanceTable, OwnedTables } from "../../src/store/ledger/tables/tables.ts";
import { override, overrideTables } from "../support/override.ts";

/** How the medium below a store fails, until changed. */
export interface MediumFaults {
  fails: "commit" | "write" | null;
  /** True if it has failed. */
  hasFailed: boolean;
}

/** Tables on a medium that fails on request: at a commit, or at the first written row. */
export function failingTables(tables: OwnedTables, faults: MediumFaults): OwnedTables {
  const failAt = (fails: MediumFaults["fails"]) => {
    if (faults.fails !== fails) return;
    faults.hasFailed = true;
    throw new JobError("unavailable", "Cannot write to the medium");
  };
  const commit: OwnedTables["commit"] = (head) => {
    failAt("commit");
    tables.commit(head);
  };
  const rows: Partial<InstanceTable> = {
    insert: (row) => {
      failAt("write");
      tables.instances.insert(row);
    },
    update: (before, after) => {
      // Half of the write is done already.
      tables.instances.update(before, after);
      failAt("write");
    },
  };
  return overrideTables(override(tables, { commit }), { instances: rows });
}
