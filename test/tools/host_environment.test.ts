import assert from "node:assert/strict";
import { test } from "node:test";
import { hostEnvironment } from "../../src/tools/import/host_environment.ts";
import { importCrontabs } from "../../src/tools/import/import_crontab.ts";
import { loadText } from "../support/worlds/config_world.ts";
import { withTempDir } from "../support/temp_dir.ts";

const HOST = {
  "etc/pam.d/cron":
    "@include common-auth\nsession required pam_env.so envfile=/etc/default/locale\n" +
    "session required pam_limits.so\n",
  "etc/pam.d/common-auth": "# comment\nauth required pam_env.so\n",
  "etc/environment":
    'PATH="/opt/bin:/bin"\nexport HTTP_PROXY="http://proxy:3128"\n# X=1\nbad line\n',
  "etc/default/locale": "LANG=de_DE.UTF-8 # default\n",
  "etc/security/limits.conf": "# none\n",
  "etc/security/pam_env.conf": "DISPLAY DEFAULT=:0\n",
};

test("hostEnvironment() reads what pam_env gives to cron, and says what is not carried", async () => {
  await withTempDir(HOST, async ({ path }) => {
    const { env, notes } = hostEnvironment("debian", path);
    assert.deepEqual(env, { HTTP_PROXY: "http://proxy:3128", LANG: "de_DE.UTF-8" });
    assert.deepEqual(notes.map(({ file, text, isLoss }) => [file, text, isLoss]), [
      ["/etc/environment", "written to env of each job: HTTP_PROXY", false],
      ["/etc/environment", "left out, because cron itself sets it: PATH", false],
      ["/etc/default/locale", "written to env of each job: LANG", false],
      [
        "/etc/security/pam_env.conf",
        "its variables are not carried over: copy them into env",
        true,
      ],
    ]);
    // Its file is another one, and busybox crond asks no PAM.
    assert.deepEqual(hostEnvironment("cronie", path), { env: {}, notes: [] });
    assert.deepEqual(hostEnvironment("busybox", path), { env: {}, notes: [] });
  });
});

test("importCrontabs() gives the host's variables to its own crontabs, behind what they set", async () => {
  const text = "A=own\n0 1 * * * x\n";
  const importFile = async (file: string) => {
    const crontab = { file, text, isSystem: false, owner: null };
    const hostEnv = { A: "host", LANG: "C.UTF-8" };
    const result = importCrontabs([crontab], { timezone: "UTC", dialect: "debian", hostEnv });
    return (await loadText(result.toml)).job("x").command!.env;
  };
  assert.deepEqual(await importFile("/var/spool/cron/crontabs/me"), { A: "own", LANG: "C.UTF-8" });
  assert.deepEqual(await importFile("/backup/web1/etc/crontab"), { A: "own" });
});
