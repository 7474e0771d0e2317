/** Processor time of a process and of all that it started, in seconds; null if there is none. */
export function processorSeconds(pid: number): number | null;
