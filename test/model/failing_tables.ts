import { JobError } from "../../src/core/errors.ts";
import type { Tables } from "../../src/store/ledger/tables/tables.ts";

/** How the medium below a store fails, until that is changed. */
export interface MediumFaults {
  fails: "commit" | "write" | null;
  /** Whether it did. */
  hasFailed: boolean;
}

/** Tables on a medium that fails when told to: at a commit, or at the first row that is written. */
export function failingTables(tables: Tables, faults: MediumFaults): Tables {
  const failAt = (fails: MediumFaults["fails"]) => {
    if (faults.fails !== fails) return;
    faults.hasFailed = true;
    throw new JobError("unavailable", "Cannot write to the medium");
  };
  const methods: Partial<Tables> = {
    commit: (head) => {
      failAt("commit");
      tables.commit(head);
    },
    insert: (row) => {
      failAt("write");
      tables.insert(row);
    },
    update: (before, after) => {
      // Half of what is to be written is there already.
      tables.update(before, after);
      failAt("write");
    },
  };
  return new Proxy(tables, {
    get(target, key) {
      const planted = Reflect.get(methods, key);
      if (planted) return planted;
      const value = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
