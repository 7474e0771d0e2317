import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import test from "node:test";
import { withTempDir } from "../support/temp_dir.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FIXTURE = readFileSync(new URL("./typed_jobs.ts", import.meta.url), "utf8");

const CONFIG = JSON.stringify({
  extends: `${ROOT}tsconfig.json`,
  compilerOptions: { strict: true, paths: {}, typeRoots: [`${ROOT}node_modules/@types`] },
  include: ["*.ts"],
});

test("typed jobs are checked by tsc --strict, and each line that must be an error is one", async () => {
  const source = FIXTURE.replaceAll("../../src/", `${fileURLToPath(pathToFileURL(ROOT))}src/`);
  // Only the two marks below are about the compiler; the fixture has the rest.
  const wrong = source.replace(
    "same<typeof total, number>(true)",
    "same<typeof total, string>(true)",
  );
  const files = {
    "typed_jobs.ts": source,
    "wrong.ts": wrong.replace("  // @ts-expect-error text is not a number\n", ""),
    "tsconfig.json": CONFIG,
    "package.json": '{ "type": "module" }',
  };
  await withTempDir(files, ({ path }) => {
    const tsc = `${ROOT}node_modules/.bin/tsc`;
    const { stdout, error } = spawnSync(tsc, ["-p", path], { encoding: "utf8" });
    assert.equal(error, undefined);
    assert.deepEqual(
      [...stdout.matchAll(/^\S*?(\w+\.ts)\(\d+,\d+\): error (TS\d+)/gm)].map((found) =>
        `${found[1]} ${found[2]}`
      ),
      ["wrong.ts TS2345", "wrong.ts TS2345"],
      stdout,
    );
  });
});
