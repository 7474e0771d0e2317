import process from "node:process";
import { compareWithCron, type Comparison } from "../../test/support/crons/compare.ts";
import { type CronName, whyNoCrons } from "../../test/support/crons/packages.ts";

const NAMES: readonly CronName[] = ["debian", "cronie", "busybox"];
const MINUTES_DEFAULT = 3;

function report(
  { name, runCount, mailCount, survivorCount, differences, jobctlLog }: Comparison,
): void {
  const isSame = differences.length === 0;
  const what = `${runCount} runs, ${mailCount} mails and ${survivorCount} processes left behind`;
  console.log(`${name}: ${isSame ? `the same ${what}` : `NOT the same as cron's ${what}`}`);
  for (const line of differences) console.log(`  ${line}`);
  if (!isSame) console.log(jobctlLog.replaceAll(/^/gm, "  | "));
}

/**
 * Run Debian's crons and, beside each, jobctl with the same crontabs imported.
 *
 * @param words names of crons and the number of minutes; by default all crons and three minutes
 * @returns the exit code
 */
export async function runCronComparison(words: readonly string[]): Promise<number> {
  const trouble = whyNoCrons();
  if (trouble !== null) {
    console.error(`Cannot run crons: ${trouble}. This needs Debian, root and unshare`);
    return 1;
  }
  const minutes = Number(words.find((word) => /^\d+$/.test(word)) ?? MINUTES_DEFAULT);
  const names = NAMES.filter((name) => words.includes(name));
  const wanted = names.length === 0 ? NAMES : names;
  console.log(`Running ${wanted.join(", ")} for ${minutes} minutes`);
  const found = await Promise.all(wanted.map((name) => compareWithCron(name, minutes)));
  for (const one of found) report(one);
  return found.every(({ differences }) => differences.length === 0) ? 0 : 1;
}

if (import.meta.main) process.exitCode = await runCronComparison(process.argv.slice(2));
