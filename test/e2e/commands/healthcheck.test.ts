import assert from "node:assert/strict";
import test from "node:test";
import { runJobctl, startDaemon } from "../../support/processes/daemon.ts";

const TOML = `
[jobs.good]
command = ["true"]

[jobs.bad]
command = ["false"]
retry = 0
`;

test("healthcheck shows successes, dead letters and what cannot be reached, with a plugin's codes", async () => {
  const daemon = await startDaemon({ toml: TOML });
  const check = (...args: string[]) => daemon.jobctl(["healthcheck", ...args]);
  try {
    assert.equal((await check("--job", "good", "--max-age", "1h")).code, 2);
    assert.equal((await daemon.jobctl(["schedule", "good", "--wait"])).code, 0);
    const good = await check("--job", "good", "--max-age", "1h");
    assert.equal(good.code, 0, good.stdout);
    assert.match(
      good.stdout,
      /^JOBCTL OK: [^|\n]+ \| 'workers_busy'=\d;;;0;4 'age_good'=[\d.]+s;;3600;0 'queue'=0;;;0 'oldest'=0s;;;0 'dead'=0;;;0 'incidents'=0;;;0\n$/,
    );
    assert.equal((await daemon.jobctl(["schedule", "bad", "--wait"])).code, 3);
    const dead = await check("--dead-warn", "0");
    assert.equal(dead.code, 1, dead.stdout);
    assert.match(
      dead.stdout,
      /^JOBCTL WARNING: 1 dead letter \(limit 0\) \|.* 'dead'=1;0;;0 'incidents'=\d;;;0\n$/,
    );
    const unknown = await check("--job", "other");
    assert.equal(unknown.code, 3);
    assert.match(unknown.stdout, /^JOBCTL UNKNOWN: Cannot find job "other"/);
  } finally {
    await daemon.stop();
  }
  const away = await runJobctl(["healthcheck", "--port", String(daemon.port), "--socket", "none"]);
  assert.equal(away.code, 2);
  assert.match(away.stdout, /^JOBCTL CRITICAL: Cannot /);
});
