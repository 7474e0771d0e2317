import assert from "node:assert/strict";
import test from "node:test";
import { startDaemon } from "../../support/processes/daemon.ts";

/** npm packages beside the job modules, as npm lays them out. */
const PACKAGES = {
  "package.json":
    '{ "name": "jobs", "type": "module", "imports": { "#lib/*": "./_lib/*.ts", "#text": "./_lib/text.json" } }',
  "node_modules/esm-only/package.json":
    '{ "name": "esm-only", "version": "1.2.3", "type": "module", "exports": { ".": { "types": "./x.d.ts", "import": "./lib/main.js" }, "./sub": "./lib/sub.js" } }',
  "node_modules/esm-only/lib/main.js":
    'import inner from "nested";\nexport const main = () => `main ${inner}`;\nexport { default as version } from "../package.json" with { type: "json" };',
  "node_modules/esm-only/lib/sub.js": 'export default "sub";',
  "node_modules/esm-only/node_modules/nested/package.json":
    '{ "name": "nested", "main": "index.cjs" }',
  "node_modules/esm-only/node_modules/nested/index.cjs": 'module.exports = "nested of esm-only";',
  "node_modules/nested/package.json": '{ "name": "nested" }',
  "node_modules/nested/index.js": 'module.exports = "nested above";',
  "node_modules/common/package.json": '{ "name": "common", "main": "lib" }',
  "node_modules/common/lib/index.js":
    'const path = require("path");\nexports.named = () => path.basename(__filename) + require("nested");',
  "node_modules/dual/package.json":
    '{ "name": "dual", "exports": { "import": "./index.mjs", "require": "./index.cjs" } }',
  "node_modules/dual/index.mjs": 'export default "as import";',
  "node_modules/dual/index.cjs": 'module.exports = "as require";',
  "node_modules/@scope/typed/package.json":
    '{ "name": "@scope/typed", "exports": { "./deep/*": "./src/*.ts" } }',
  "node_modules/@scope/typed/src/level.ts":
    "export enum Level { High = 9 }\nexport const level = (x: Level): number => x;",
  "_lib/names.ts": 'import { main } from "esm-only";\nexport const names: string[] = [main()];',
  "_lib/text.json": '{ "text": "from JSON" }',
};

const MODULE = `
import { basename } from "node:path";
import { createRequire } from "node:module";
import { main, version } from "esm-only";
import sub from "esm-only/sub";
import { named } from "common";
import dual from "dual";
import { Level, level } from "@scope/typed/deep/level";
import { names } from "./_lib/names.ts";
import { names as same } from "#lib/names";
import text from "#text" with { type: "json" };

const require = createRequire(import.meta.url);

export default async function all(word: string): Promise<unknown> {
  const late = await import("esm-only/sub");
  return [
    main(), version.version, sub, named(), dual, require("dual"), level(Level.High),
    names === same, text.text, basename("/a/" + word), late.default,
  ];
}
`;

const LOADED = [
  "main nested of esm-only",
  "1.2.3",
  "sub",
  "index.jsnested above",
  "as import",
  "as require",
  9,
  true,
  "from JSON",
  "word",
  "sub",
];

test("npm packages beside the job modules resolve, in workers and in the daemon", async () => {
  const daemon = await startDaemon({
    modules: {
      ...PACKAGES,
      "all.ts": MODULE,
      "inside/all.ts": MODULE.replace("./_lib", "../_lib"),
      "missing.ts": 'import nothing from "not-installed";\nexport default () => nothing;',
    },
    toml: '[jobs."inside.all"]\nisolation = "inline"',
  });
  try {
    for (const kind of ["all", "inside.all"]) {
      const { stdout, stderr } = await daemon.jobctl(["schedule", kind, "word", "--wait"]);
      const instance = JSON.parse(stdout);
      assert.equal(instance.state, "completed", stdout + stderr);
      assert.deepEqual(instance.results, [LOADED]);
    }
    await daemon.logged(/Job "missing" is disabled: .*Cannot find package \\?"not-installed/);
    await daemon.logged(/hint=.*npm install not-installed/);
    await daemon.logged(/place=\S*missing\.ts:1:21/);
  } finally {
    await daemon.stop();
  }
});
