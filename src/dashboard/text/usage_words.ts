import { roughSize } from "../../core/text/size.ts";
import type { JobInstance } from "../gen/api_types.ts";
import { plural } from "./format_time.ts";

/** Resource use of an instance's processes; undefined if it has ended since. */
function processOf({ state, process }: JobInstance): JobInstance["process"] {
  return state === "processing" ? process : undefined;
}

/** Memory of the last attempt: "10.1 MiB at most"; while it runs, also its current memory. */
export function memoryWords(instance: JobInstance): string | undefined {
  const process = processOf(instance);
  const { max_rss_bytes: most } = instance;
  const words = [
    ...process?.rss_bytes === undefined ? [] : [roughSize(process.rss_bytes)],
    ...most === undefined ? [] : [`${roughSize(most)} at most`],
  ];
  return words.length === 0 ? undefined : words.join(", ");
}

/** Processes of a running attempt, with their open files. */
export function processWords(instance: JobInstance): string | undefined {
  const { processes, open_files: files } = processOf(instance) ?? {};
  if (processes === undefined) return undefined;
  return files === undefined
    ? String(processes)
    : `${processes}, with ${plural(files, "open file")}`;
}

/** Location of a running command: "4711, supervisor 4700". */
export function placeWords(instance: JobInstance): string | undefined {
  const { pid, supervisor_pid: supervisor } = processOf(instance) ?? {};
  if (pid === undefined) return undefined;
  return supervisor === undefined ? String(pid) : `${pid}, supervisor ${supervisor}`;
}
