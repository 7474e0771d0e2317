import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { ProgramLibrary, ROOT, type Runtime, RUNTIMES } from "../support/runtimes.ts";
import { withTempDir } from "../support/temp_dir.ts";

const run = promisify(execFile);
const library = new ProgramLibrary();
const SOURCE = join(ROOT, "src", "index.ts");
const TIMEOUT_MS = 30_000;

/** A `ts` block of a page. */
interface Program {
  /** The page and the heading that it stands under. */
  readonly title: string;
  readonly source: string;
  /** Whether it is only an excerpt, or needs what is not here. */
  readonly isCompileOnly: boolean;
}

function programs(page: string): readonly Program[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(/```ts( compile-only)?\n([\s\S]*?)```/g)].map((match, index) => {
    const before = text.slice(0, match.index);
    const title = [...before.matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? page;
    return {
      title: `${page}: ${title} (${index + 1})`,
      source: match[2]!,
      isCompileOnly: match[1] !== undefined,
    };
  });
}

function expected(source: string): string[] {
  return [...source.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1]!);
}

/** What a file prints on a runtime; its exit code is 0. */
async function execute(file: string, { command: [program, ...args] }: Runtime): Promise<string[]> {
  const { stdout } = await run(program!, [...args, file], { timeout: TIMEOUT_MS, cwd: ROOT });
  return stdout.split("\n").filter((line) => line !== "");
}

/** What a program prints on each runtime, by the runtime's name. */
async function executeAll(source: string): Promise<Readonly<Record<string, readonly string[]>>> {
  return await withTempDir({}, async ({ path }) => {
    const file = library.write(path, source);
    const printed = RUNTIMES.map(async (runtime) => {
      return [runtime.name, await execute(file, runtime)] as const;
    });
    return Object.fromEntries(await Promise.all(printed));
  });
}

const LIBRARY = programs("docs/library.md");
const README = programs("README.md").filter(({ source }) => source.includes("new Manager("));

for (const { title, source, isCompileOnly } of LIBRARY) {
  if (isCompileOnly) continue;
  test(`${title} prints what it says on every runtime`, async () => {
    assert.ok(expected(source).length > 0, "The example says nothing of what it prints");
    const wanted = RUNTIMES.map(({ name }) => [name, expected(source)]);
    assert.deepEqual(await executeAll(source), Object.fromEntries(wanted));
  });
}

for (const { title, source } of README) {
  test(`${title} runs and ends on every runtime`, async () => {
    for (const [name, lines] of Object.entries(await executeAll(source))) {
      assert.match(lines.join("\n"), /100/, name);
    }
  });
}

test("docs/library.md and README.md have programs that compile under strict", () =>
  withTempDir({}, async ({ path }) => {
    for (const [index, { source }] of [...LIBRARY, ...README].entries()) {
      writeFileSync(join(path, `program_${index + 1}.ts`), source);
    }
    writeFileSync(join(path, "package.json"), '{ "type": "module" }');
    const options = {
      ...{ strict: true, noEmit: true, skipLibCheck: true, allowImportingTsExtensions: true },
      ...{ target: "ES2024", lib: ["ES2024", "ESNext.Disposable"] },
      ...{ module: "NodeNext", moduleResolution: "NodeNext", paths: { "ts-job": [SOURCE] } },
      ...{ types: ["node"], typeRoots: [join(ROOT, "node_modules", "@types")] },
    };
    const config = { compilerOptions: options, include: ["*.ts"] };
    writeFileSync(join(path, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    await run(tsc, ["-p", path], { timeout: TIMEOUT_MS }).catch(({ stdout, message }) => {
      assert.fail(`${stdout || message}`);
    });
  }));
