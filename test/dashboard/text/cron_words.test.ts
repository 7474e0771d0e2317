import assert from "node:assert/strict";
import test from "node:test";
import { cronWords } from "../../../src/dashboard/text/cron_words.ts";

const WORDS: readonly (readonly [cron: string, words: string | null])[] = [
  ["0 3 * * *", "at 03:00 every day"],
  ["0 9 * * 1-5", "at 09:00 on weekdays"],
  ["30 2,14 * * sat,sun", "at 02:30 and 14:30 at weekends"],
  ["*/5 * * * *", "every 5 minutes"],
  ["* * * * *", "every minute"],
  ["15 */6 * * *", "at minute 15, every 6 hours"],
  ["0 * * * *", "every hour"],
  ["*/10 8-17 * * mon-fri", "every 10 minutes from 08:00 to 17:59 on weekdays"],
  ["0 0 1 * *", "at 00:00 on day 1 of the month"],
  ["0 0 1 * 1", "at 00:00 on day 1 of the month or on Monday"],
  ["0 6 * 1,7 *", "at 06:00 in January and July"],
  ["@daily", "at 00:00 every day"],
  ["@every 15m", "every 15 minutes"],
  ["@every 1h", "every hour"],
  ["0 0 3 * * *", "at 03:00 every day"],
  ["H H * * *", null],
  ["5 0 3 * * *", null],
  ["0 0 * * 5#2", null],
];

test("cronWords() says when a schedule runs, or nothing", () => {
  for (const [cron, words] of WORDS) assert.equal(cronWords(cron), words, cron);
});
