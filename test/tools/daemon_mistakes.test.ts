import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { formatProblem } from "../../src/config/problems.ts";
import { daemonMistakes } from "../../src/tools/daemon_mistakes.ts";
import { loadText } from "../support/worlds/config_world.ts";
import { withTempDir } from "../support/temp_dir.ts";

const CONFIG = "/etc/jobctl/config.toml";
const UNIT = "usr/lib/systemd/system/jobctl.service";

/** What is wrong with backups to this folder, on a system with these files. */
async function mistakesOf(folder: string, root: string, isDaemon = false) {
  const toml = `[store.backup]\nschedule = "0 3 * * *"\npath = ${JSON.stringify(folder)}\n`;
  const { loaded } = await loadText(toml);
  return daemonMistakes(loaded!.config, CONFIG, { isDaemon, root });
}

test("daemonMistakes() names a folder that the installed unit keeps from the daemon", async () => {
  await withTempDir({ "backups/.keep": "", "none/.keep": "" }, async ({ path, write }) => {
    const shipped = new URL("../../contrib/systemd/jobctl.service", import.meta.url);
    write(UNIT, readFileSync(shipped, "utf8").replace("User=jobctl", "User=root"));
    // Folders below /tmp are always open in the unit's eyes.
    const folder = "/srv/none of these";
    for (const isDaemon of [false, true]) {
      const [missing, refused] = await mistakesOf(folder, path, isDaemon);
      assert.match(formatProblem(missing!), /^store\.backup\.path: .* does not exist/);
      assert.match(refused!.message, /^jobctl\.service does not let the daemon write to/);
      assert.match(refused!.hint!, /ReadWritePaths=.*backup\.conf .* systemctl restart jobctl$/);
      assert.deepEqual([missing!.isMistake, refused!.isMistake], [true, true]);
    }
  });
});

test("daemonMistakes() only warns where no unit starts a daemon with the configuration", async () => {
  await withTempDir({ "backups/.keep": "" }, async ({ path }) => {
    const [missing, ...others] = await mistakesOf(join(path, "other"), path);
    assert.match(missing!.message, /does not exist/);
    assert.equal(missing!.isMistake, undefined);
    assert.deepEqual(others, []);
    assert.deepEqual(await mistakesOf(join(path, "backups"), path), []);
    const [daemons] = await mistakesOf(join(path, "other"), path, true);
    assert.equal(daemons!.isMistake, true);
  });
});
