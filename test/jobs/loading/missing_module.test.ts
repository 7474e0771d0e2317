import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { importJob } from "../../../src/jobs/loading/import_job.ts";
import { runtimeName } from "../../../src/platform/system/runtime.ts";
import { loadModules } from "../../support/processes/job_modules.ts";
import { withTempDir } from "../../support/temp_dir.ts";

test("a module whose import finds nothing is refused with the import's place and the remedy", async () => {
  const { directory, problems } = await loadModules({
    "package.json": '{ "type": "module", "dependencies": { "known": "1" } }',
    "node_modules/here/package.json": '{ "name": "here", "exports": { ".": "./index.js" } }',
    "node_modules/here/index.js": "export default 1;",
    "_lib/deep.ts": "// first\n\nimport x from '@scope/deep/sub';\nexport default x;",
    "file.ts": 'import "node:path";\nimport x from "./gone.ts";\nexport default () => x;',
    "missing.ts": 'import x from "absent";\nexport default () => x;',
    // Deno knows the name by the repository's own import map, and has words of its own for what is
    // declared.
    ...(runtimeName() === "deno" ? {} : {
      "declared.ts": 'import known from "known";\nexport default () => known;',
      "own.ts": 'import { defineJob } from "ts-job";\nexport default defineJob({});',
    }),
    "part.ts": 'import x from "here/part";\nexport default () => x;',
    "through.ts": 'import x from "./_lib/deep.ts";\nexport default () => x;',
  });
  const told = Object.fromEntries(problems.map(({ job, place, message, hint }) => {
    const where = `${place!.file.slice(directory.length + 1)}:${place!.line}:${place!.column}`;
    return [job, `${where} ${message} / ${hint}`.replaceAll(directory, "DIR")];
  }));
  assert.deepEqual(
    Object.fromEntries(Object.entries(told).map(([job, text]) => [job, String(text).split(" / ")])),
    {
      file: [
        'file.ts:2:15 Cannot load DIR/file.ts: Cannot find the file "./gone.ts": line 2 of DIR/file.ts imports it',
        "A relative import is relative to the file that imports, and has its ending: ./lib.ts",
      ],
      missing: [
        'missing.ts:1:15 Cannot load DIR/missing.ts: Cannot find package "absent": line 1 of DIR/missing.ts imports it',
        "Install it beside the job modules: cd DIR && npm install absent",
      ],
      ...(runtimeName() === "deno" ? {} : {
        declared: [
          'declared.ts:1:19 Cannot load DIR/declared.ts: Cannot find package "known": line 1 of DIR/declared.ts imports it',
          "Install it beside the job modules: cd DIR && npm install",
        ],
        own: [
          'own.ts:1:27 Cannot load DIR/own.ts: Cannot find package "ts-job": line 1 of DIR/own.ts imports it',
          'It has only types for job modules, so write: import type { Context } from "ts-job"',
        ],
      }),
      part: [
        'part.ts:1:15 Cannot load DIR/part.ts: Cannot find "here/part" in package "here": line 1 of DIR/part.ts imports it',
        'Look for it under "exports" of its package.json, or install another version',
      ],
      through: [
        '_lib/deep.ts:3:15 Cannot load DIR/through.ts: Cannot find package "@scope/deep": line 3 of DIR/_lib/deep.ts imports it',
        "Install it beside the job modules: cd DIR && npm install @scope/deep",
      ],
    },
  );
});

test("importJob() names the package that went away since the module was described", async () => {
  const files = { "a.ts": 'import x from "went-away";\nexport default () => x;' };
  await withTempDir(files, async ({ path }) => {
    await assert.rejects(
      () => importJob(`${path}/a.ts`, "a", "v1"),
      (error) =>
        isJobError(error, "not_found") && error.hint!.endsWith("npm install went-away") &&
        error.message.includes('Cannot find package "went-away": line 1 of'),
    );
  });
});
