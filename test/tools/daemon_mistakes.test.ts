import assert from "node:assert/strict";
import { chmodSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { formatProblem } from "../../src/config/values/problems.ts";
import { daemonMistakes } from "../../src/tools/daemon_mistakes.ts";
import { loadText } from "../support/worlds/config_world.ts";
import { withTempDir } from "../support/temp_dir.ts";

const CONFIG = "/etc/jobctl/config.toml";
const SHIPPED = new URL("../../contrib/systemd/jobctl.service", import.meta.url);
const SENDMAIL = "usr/sbin/sendmail";
const UNIT = "usr/lib/systemd/system/jobctl.service";

/** What is wrong with backups to this folder, on a system with these files. */
async function mistakesOf(folder: string, root: string, isDaemon = false) {
  const toml = `[store.backup]\nschedule = "0 3 * * *"\npath = ${JSON.stringify(folder)}\n`;
  const { loaded } = await loadText(toml);
  return daemonMistakes(loaded!.config, CONFIG, { isDaemon, root });
}

test("daemonMistakes() names a folder that the installed unit keeps from the daemon", async () => {
  await withTempDir({ "backups/.keep": "", "none/.keep": "" }, async ({ path, write }) => {
    write(UNIT, readFileSync(SHIPPED, "utf8").replace("User=jobctl", "User=root"));
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

test("daemonMistakes() names a sendmail that the installed unit keeps from its queue", async () => {
  const toml = `[notices.ops]\nto = "mail"\nsendmail = true\nrecipients = ["root"]\n`;
  await withTempDir({ [SENDMAIL]: "", "usr/bin/msmtp": "" }, async ({ path, write }) => {
    const { config } = (await loadText(toml)).loaded!;
    const mistakes = () => daemonMistakes(config, CONFIG, { isDaemon: true, root: path });
    const unit = readFileSync(SHIPPED, "utf8");
    write(UNIT, unit);
    assert.deepEqual(mistakes(), []);
    // Postfix: its sendmail has no rights of its own, but what it starts.
    chmodSync(write("usr/sbin/postdrop", ""), 0o2555);
    const [postfix] = mistakes();
    assert.equal(postfix!.path, "notices.ops.sendmail");
    assert.match(postfix!.message, /^jobctl\.service keeps "\/usr\/sbin\/sendmail" from sending/);
    assert.equal(postfix!.isMistake, true);
    rmSync(join(path, "usr/sbin/postdrop"));
    // Exim.
    chmodSync(join(path, SENDMAIL), 0o4755);
    assert.equal(mistakes().length, 1);
    // A unit without a sandbox.
    write(
      UNIT,
      unit.split("\n").filter((line) => /^\[|^(?:User|ExecStart)=/.test(line)).join("\n"),
    );
    assert.deepEqual(mistakes(), []);
    write(UNIT, unit);
    rmSync(join(path, SENDMAIL));
    chmodSync(join(path, "usr/bin/msmtp"), 0o2755);
    symlinkSync("../bin/msmtp", join(path, SENDMAIL));
    assert.deepEqual(mistakes(), []);
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
