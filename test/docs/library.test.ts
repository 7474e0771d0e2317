import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { runtimeName } from "../../src/platform/process.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LIBRARY = pathToFileURL(join(ROOT, "src/index.ts")).href;
const TIMEOUT_MS = 30_000;

/** The programs of a page: each `ts` block under the heading it stands in. */
function programs(page: string): { readonly title: string; readonly source: string }[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  const found = [];
  for (const match of text.matchAll(/```ts\n([\s\S]*?)```/g)) {
    const before = text.slice(0, match.index);
    const title = [...before.matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? page;
    if (
      match[1]!.includes('from "ts-job"') && match[1]!.includes("new Manager(") ||
      match[1]!.includes("// →")
    ) {
      found.push({ title: `${page}: ${title} (${found.length + 1})`, source: match[1]! });
    }
  }
  return found;
}

function expected(source: string): string[] {
  return [...source.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1]!);
}

async function execute(source: string): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), "jobctl-docs-"));
  try {
    const file = join(dir, "example.ts");
    writeFileSync(file, source.replaceAll('"ts-job"', JSON.stringify(LIBRARY)));
    const args = runtimeName() === "deno"
      ? ["run", "-A", "--no-check", "--config", join(ROOT, "deno.json"), file]
      : [file];
    const { stdout } = await run(process.execPath, args, { timeout: TIMEOUT_MS, cwd: ROOT });
    return stdout.split("\n").filter((line) => line !== "");
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

for (const { title, source } of programs("docs/library.md")) {
  test(`${title} prints what it says`, async () => {
    assert.ok(expected(source).length > 0, "The example says nothing of what it prints");
    assert.deepEqual(await execute(source), expected(source));
  });
}

for (const { title, source } of programs("README.md")) {
  test(`${title} runs and ends`, async () => {
    assert.match((await execute(source)).join("\n"), /100/);
  });
}
