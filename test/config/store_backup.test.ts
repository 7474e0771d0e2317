import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { loadText } from "../support/worlds/config_world.ts";

test("loadConfig() reads [store.backup], with a path from the file's folder", async () => {
  const { loaded, dir, problems, warnings } = await loadText(
    '[store.backup]\nschedule = "0 3 * * *"\npath = "backups"',
    { files: { "backups/one": "" } },
  );
  assert.deepEqual([problems, warnings], [[], []]);
  const { schedule, path, keep } = loaded!.config.backup!;
  assert.deepEqual([schedule.cron, path, keep], ["0 3 * * *", join(dir, "backups"), 7]);
});

test("loadConfig() makes no backups unless it is told", async () => {
  assert.equal((await loadText("")).loaded!.config.backup, null);
});

const REFUSED: readonly (readonly [text: string, wanted: RegExp])[] = [
  [
    'schedule = "0 3 * * *"\npath = "b"\nkeep = 0',
    /^config\.toml:4:8: store\.backup\.keep: found 0/,
  ],
  ['schedule = "0 3 * * *"\npath = "b"\nkeep = 1.5', /4:8: store\.backup\.keep: found 1\.5/],
  ['schedule = "0 3 * * *"', /2:1: store\.backup\.schedule: store\.backup\.path is missing/],
  ['path = "b"', /2:1: store\.backup\.path: store\.backup\.schedule is missing/],
  ['schedule = "nightly"\npath = "b"', /2:12: store\.backup\.schedule: /],
  ['schedule = "0 3 * * *"\npath = ""', /3:8: store\.backup\.path: /],
  ['schedule = "0 3 * * *"\npath = "b"\nkept = 7', /kept.*keep/],
];

for (const [text, wanted] of REFUSED) {
  test(`loadConfig() refuses ${JSON.stringify(text)} in [store.backup]`, async () => {
    const { problems } = await loadText(`[store.backup]\n${text}`);
    assert.match(problems.join("\n"), wanted);
  });
}

test("loadConfig() warns of keep without a schedule", async () => {
  const { warnings } = await loadText("[store.backup]\nkeep = 3");
  assert.match(warnings.join("\n"), /has no effect without store\.backup\.schedule/);
});
