import assert from "node:assert/strict";
import { test } from "node:test";
import { compareWithCron } from "../support/crons/compare.ts";
import { whyNoCrons } from "../support/crons/packages.ts";

// What Debian's crons and jobctl with the same crontabs run when they start, with which
// environment, what they mail to whom, and what is left running. `npm run slow -- cron` compares
// three minutes, and busybox, whose package ends by a fault at any line with "@".

const WHY_NOT = whyNoCrons() ?? false;

for (const name of ["debian", "cronie"] as const) {
  test(
    `jobctl runs what it imported as ${name}'s own daemon runs it`,
    { skip: WHY_NOT },
    async () => {
      const { differences, runCount, mailCount, survivorCount } = await compareWithCron(name, 0);
      assert.deepEqual(differences, []);
      assert.ok(
        runCount > 30 && survivorCount === 6,
        `${runCount} runs, ${survivorCount} survivors`,
      );
      assert.ok(mailCount >= 10, `${mailCount} mails`);
    },
  );
}
