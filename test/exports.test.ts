import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { JOB_PROTO } from "../src/rpc/gen/job_proto.ts";
import { readSources } from "./support/source_tree.ts";

const EXPORT = /^export (?:abstract |async )?(?:class|const|function\*?) (\w+)/gm;

function read(folder: string): readonly (readonly [path: string, text: string])[] {
  const root = new URL(`../${folder}/`, import.meta.url);
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(tsx?|mjs)$/.test(name) && !name.includes("gen/"))
    .map((name) => [`${folder}/${name}`, readFileSync(new URL(name, root), "utf8")]);
}

/** Exported values of `src` that no other file names, as `path: name`. */
function unusedExports(): readonly string[] {
  const files = [...read("src"), ...read("test"), ...read("scripts")];
  const holders = new Map<string, Set<string>>();
  for (const [path, text] of files) {
    for (const name of new Set(text.match(/\w+/g))) {
      const paths = holders.get(name);
      if (paths) paths.add(path);
      else holders.set(name, new Set([path]));
    }
  }
  return files.filter(([path]) => path.startsWith("src/")).flatMap(([path, text]) =>
    [...text.matchAll(EXPORT)].map(([, name]) => name!)
      .filter((name) => holders.get(name)!.size === 1)
      .map((name) => `${path}: ${name}`)
  );
}

test("every exported value is used in another file", () => {
  assert.deepEqual(unusedExports(), []);
});

test("every source file is imported, except entries of programs, threads and packages", () => {
  const files = readSources("src");
  const imported = new Set(
    files.flatMap(({ path, imports }) =>
      imports.map(({ target }) => target).filter((target) => target !== path)
    ),
  );
  assert.deepEqual(files.map(({ path }) => path).filter((path) => !imported.has(path)), [
    "src/client.ts",
    "src/conformance/index.ts",
    "src/dashboard/main.tsx",
    "src/gateway/gateway_thread.ts",
    "src/index.ts",
    "src/main.ts",
    "src/testing/index.ts",
    "src/worker/guard/guard_thread.ts",
  ]);
});

test("the text of the contract in the program is that of job.proto", () => {
  const text = readFileSync(new URL("../src/rpc/job.proto", import.meta.url), "utf8");
  assert.ok(JOB_PROTO === text, "job_proto.ts is stale: node scripts/generate/texts.mjs");
});
