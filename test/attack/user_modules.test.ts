// A user who may write the modules of his own jobs reaches for the jobs and the secrets of others.
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runJobctl } from "../support/processes/daemon.ts";
import { FOREIGN_UID, NEEDS_ROOT } from "../support/processes/foreign_user.ts";

/** One module may take five seconds to load, in a process of its own. */
const HELD_UP_MS = 5_000;
const SECRET = "hush-of-the-payroll";

/**
 * A project of root that takes modules of root and of another user; `modules` are that user's, by
 * name.
 */
async function withModules(
  modules: Readonly<Record<string, string>>,
  body: (project: { readonly root: string; readonly config: string }) => Promise<void>,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "jobctl-modules-"));
  try {
    chmodSync(root, 0o755);
    for (const folder of ["own", "theirs"]) mkdirSync(join(root, folder), { mode: 0o755 });
    for (const kind of ["payroll", "cleanup"]) {
      writeFileSync(join(root, "own", `${kind}.ts`), `export default () => "${kind} of root";\n`);
    }
    for (const [name, source] of Object.entries(modules)) {
      const path = join(root, "theirs", name);
      writeFileSync(path, source);
      chownSync(path, FOREIGN_UID, FOREIGN_UID);
    }
    chownSync(join(root, "theirs"), FOREIGN_UID, FOREIGN_UID);
    writeFileSync(join(root, "secret"), SECRET, { mode: 0o600 });
    const config = join(root, "config.toml");
    writeFileSync(
      config,
      `modules = ["own", "theirs"]
[jobs.mine]
user = "${FOREIGN_UID}"
[jobs.payroll]
env = { KEY = { file = "secret" } }
[jobs.backup]
command = ["echo", "backup of root"]
`,
    );
    await body({ root, config });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

test("a module of a user is not given the secrets of a job that it only names", {
  skip: NEEDS_ROOT,
}, async () => {
  const source = `import { writeFileSync } from "node:fs";
const wanted = "payroll";
writeFileSync(import.meta.dirname + "/found", JSON.stringify(process.env));
export default () => wanted;
`;
  await withModules({ "mine.ts": source }, async ({ root, config }) => {
    await runJobctl(["check", "--config", config]);
    const found = readFileSync(join(root, "theirs/found"), "utf8");
    assert.match(found, /"USER":/);
    assert.ok(!found.includes(SECRET), found);
  });
});

for (
  const [what, modules] of Object.entries({
    "defines jobs of root": {
      "mine.ts": `export default ["mine", "payroll", "cleanup", "backup"].map((kind) =>
  ({ kind, run: () => "of another user" }));\n`,
    },
    "has files named like jobs of root": Object.fromEntries(
      ["payroll", "cleanup", "backup"].map((kind) => [
        `${kind}.ts`,
        'export default () => "mine";\n',
      ]),
    ),
  })
) {
  test(`a user whose folder of modules ${what} turns none of them off`, {
    skip: NEEDS_ROOT,
  }, async () => {
    await withModules(modules, async ({ config }) => {
      for (const kind of ["payroll", "cleanup", "backup"]) {
        const ran = await runJobctl(["exec", kind, "--config", config, "-o", "json"]);
        assert.equal(ran.code, 0, `${kind}: ${ran.stdout}${ran.stderr}`);
        assert.ok((ran.stdout + ran.stderr).includes(`${kind} of root`), ran.stdout + ran.stderr);
      }
    });
  });
}

for (
  const [what, source, part] of [
    ["imports a file that has nothing to read yet", 'import "./_part.ts";\n', "/proc/kmsg"],
    ["has a long row of blanks behind an import", `// import${" ".repeat(400_000)}x\n`, null],
  ] as const
) {
  test(`a user whose module ${what} holds nobody up`, { skip: NEEDS_ROOT }, async () => {
    const text = `${source}export default function mine() {}\n`;
    await withModules({ "mine.ts": text }, async ({ root, config }) => {
      if (part !== null) {
        symlinkSync(part, join(root, "theirs/_part.ts"));
        lchownSync(join(root, "theirs/_part.ts"), FOREIGN_UID, FOREIGN_UID);
      }
      const began = performance.now();
      const { stdout } = await runJobctl(["check", "--config", config, "-o", "table"]);
      const tookMs = Math.round(performance.now() - began);
      assert.match(stdout, /^payroll/m);
      assert.ok(tookMs < HELD_UP_MS, `it took ${tookMs} ms`);
    });
  });
}
