import { JobError, toJobError } from "../../core/errors.ts";
import type { JobTable } from "../../core/job/job_table.ts";
import type { Place } from "../../core/config_problem.ts";

/** An error in the configuration, not in the module. */
export class TableError extends JobError {
  readonly place: Place;

  constructor(error: JobError, place: Place, path: string | undefined = error.path) {
    super(error.code, error.message, { hint: error.hint, path, cause: error });
    this.place = place;
  }
}

/** Run a check. Its error becomes the table's, if there is a table. */
export function inTable(table: JobTable | undefined, check: () => void, path?: string): void {
  try {
    check();
  } catch (error) {
    if (table === undefined) throw error;
    const known = toJobError(error, `Cannot load job "${table.kind}"`);
    throw new TableError(known, placeOfKey(table, path ?? known.path), path);
  }
}

/** The place of a key of a table, or of the nearest key. */
export function placeOfKey(table: Pick<JobTable, "placeOf">, path: string | undefined): Place {
  return table.placeOf(...path === undefined ? [] : path.split("."));
}
