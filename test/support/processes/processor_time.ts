import process from "node:process";

/**
 * Processor time of this process since it began, in milliseconds: what a busy machine takes away
 * from a test does not count, unlike on the clock.
 */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
