import assert from "node:assert/strict";
import { test } from "node:test";
import { hostEnvironment, hostUmasks } from "../../src/tools/import/host_environment.ts";
import { importCrontabs } from "../../src/tools/import/import_crontab.ts";
import { verifyCrontab } from "../../src/tools/verify_crontab.ts";
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

const ACCOUNTS = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1001::/home/alice:/bin/sh\n" +
    "shared:x:1002:100::/home/shared:/bin/sh\n" +
    "own:x:1003:1003:O. Wn,umask=0077:/home/own:/bin/sh\n",
  "etc/group": "root:x:0:\nusers:x:100:\nalice:x:1001:\nown:x:1003:\n",
  "etc/pam.d/cron": "@include common-session-noninteractive\n",
};
const PAM = "etc/pam.d/common-session-noninteractive";
const LINE = "session optional pam_umask.so";

test("hostUmasks() follows pam_umask, login.defs and the group of the user", async () => {
  const cases: readonly (readonly [pam: string, defs: string, umasks: string])[] = [
    [`${LINE}\n`, "UMASK\t022\nUSERGROUPS_ENAB yes\n", "root -, alice 002, shared -, own 077, x -"],
    [`${LINE}\n`, "USERGROUPS_ENAB yes\n", "root -, alice -, shared -, own 077, x -"],
    [
      `${LINE}\n`,
      "UMASK 027\nUSERGROUPS_ENAB no\n",
      "root 027, alice 027, shared 027, own 077, x -",
    ],
    [`${LINE} usergroups\n`, "", "root -, alice 002, shared -, own 077, x -"],
    [
      `${LINE} umask=077\n`,
      "UMASK 022\nUSERGROUPS_ENAB yes\n",
      "root 077, alice 077, shared 077, own 077, x -",
    ],
    [`# ${LINE}\n`, "UMASK 027\n", "root -, alice -, shared -, own -, x -"],
  ];
  for (const [pam, defs, wanted] of cases) {
    await withTempDir({ ...ACCOUNTS, [PAM]: pam, "etc/login.defs": defs }, ({ path }) => {
      const umaskOf = hostUmasks("debian", path);
      const users = ["root", "alice", "shared", "own", "x"];
      const found = users.map((user) => `${user} ${umaskOf(user) ?? "-"}`).join(", ");
      assert.equal(found, wanted, pam + defs);
      assert.equal(hostUmasks("busybox", path)("alice"), null);
      assert.equal(hostUmasks("cronie", path)("own"), null);
      return Promise.resolve();
    });
  }
});

test("importCrontabs() carries the umask of users over, only of its own host, and --verify checks it", async () => {
  const umaskOf = (user: string) => user === "alice" ? "002" : null;
  const importOf = (file: string) => {
    const crontab = {
      file,
      text: "0 1 * * * alice x\n0 2 * * * root y\n",
      isSystem: true,
      owner: null,
    };
    return importCrontabs([crontab], { timezone: "UTC", dialect: "debian", umaskOf });
  };
  const result = importOf("/etc/cron.d/app");
  const { job } = await loadText(result.toml);
  assert.deepEqual([job("x").command!.umask, job("y").command!.umask], [0o002, null]);
  assert.deepEqual(result.notes.map(({ file, text }) => [file, text]), [
    ["/etc/pam.d", "umask 002 is written to the jobs of alice, as PAM sets it"],
  ]);
  assert.doesNotMatch(importOf("/backup/web1/etc/cron.d/app").toml, /umask/);
  const problems = async (toml: string) =>
    (await verifyCrontab({ ...result, toml }, Date.UTC(2026, 0, 1))).map(({ problem }) => problem);
  assert.deepEqual(await problems(result.toml), [null, null]);
  const [changed] = await problems(result.toml.replace('umask = "002"\n', ""));
  assert.match(changed!, /umask is .*, cron behaves as with "002"/);
});

test("hostUmasks() reads the service of cronie by its name on Red Hat and on Debian", async () => {
  for (const name of ["crond", "cronie"]) {
    const files = { ...ACCOUNTS, [`etc/pam.d/${name}`]: `${LINE} usergroups\n` };
    await withTempDir(files, ({ path }) => {
      assert.equal(hostUmasks("cronie", path)("alice"), "002");
      return Promise.resolve();
    });
  }
});
