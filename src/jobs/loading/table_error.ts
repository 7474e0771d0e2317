import { JobError, toJobError } from "../../core/errors.ts";
import type { JobTable, Place } from "../../core/job/job_table.ts";

/** An error about what the config says, not the module. */
export class TableError extends JobError {
  readonly place: Place;

  constructor(error: JobError, place: Place, path: string | undefined = error.path) {
    super(error.code, error.message, { hint: error.hint, path, cause: error });
    this.place = place;
  }
}

/** Run a check. Its error is one of the table, if there is one. */
export function inTable(table: JobTable | undefined, check: () => void, path?: string): void {
  try {
    check();
  } catch (error) {
    if (table === undefined) throw error;
    throw new TableError(
      toJobError(error, `Cannot load job "${table.kind}"`),
      table.placeOf(),
      path,
    );
  }
}
