import { JobError } from "../../core/errors.ts";
import type { RecordStore } from "../records.ts";

/** Records of a Valkey store: they are not moved yet. */
export class ValkeyRecords implements RecordStore {
  readRecords = refuse;
  writeRecords = refuse;
  removeRecords = refuse;
  getMark = refuse;
  setMark = refuse;
  findProblems = refuse;
  removeOrphans = refuse;
  size = refuse;
  compact = refuse;
}

function refuse(): Promise<never> {
  return Promise.reject(
    new JobError("unimplemented", "Cannot move or check a Valkey store: not supported yet"),
  );
}
