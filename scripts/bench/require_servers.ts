import { JobError } from "../../src/core/errors.ts";
import { installServers } from "../programs/install.mjs";

/**
 * Install the servers that tests and measurements use, where they are missing.
 *
 * @throws JobError `unavailable` with what is missing and the remedy
 */
export function requireServers(): void {
  const problem = installServers();
  if (problem !== null) throw new JobError("unavailable", problem);
}
