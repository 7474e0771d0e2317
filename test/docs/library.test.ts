import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { readPages } from "../support/docs/pages.ts";
import {
  ProgramLibrary,
  ROOT,
  type Runtime,
  USUAL_RUNTIMES,
} from "../support/processes/runtimes.ts";
import { withTempDir } from "../support/temp_dir.ts";

const run = promisify(execFile);
const library = new ProgramLibrary();
const PATHS = {
  "ts-job": [join(ROOT, "src", "index.ts")],
  "ts-job/testing": [join(ROOT, "src", "testing", "index.ts")],
};
const TIMEOUT_MS = 60_000;

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

/** Imports the programs that it is given one after the other, each under a line with its number. */
const RUNNER = `
for (const [index, file] of process.argv.slice(2).entries()) {
  console.log("# " + index);
  await import(file).catch((error) => console.log("! " + error.stack));
}
`;

/**
 * What each program prints on a runtime, which imports one after the other: starting it takes
 * longer than they do.
 */
async function executeAll(
  sources: readonly string[],
  { command: [program, ...args] }: Runtime,
): Promise<readonly (readonly string[])[]> {
  return await withTempDir({}, async ({ path }) => {
    const files = sources.map((source, index) => {
      const folder = join(path, `${index}`);
      mkdirSync(folder);
      return pathToFileURL(library.write(folder, source)).href;
    });
    const runner = join(path, "runner.mjs");
    writeFileSync(runner, RUNNER);
    const options = { timeout: TIMEOUT_MS, cwd: ROOT };
    const { stdout } = await run(program!, [...args, runner, ...files], options);
    const printed = stdout.split(/^# \d+\n/m).slice(1);
    assert.equal(printed.length, files.length, stdout);
    return printed.map((text) => text.split("\n").filter((line) => line !== ""));
  });
}

const LIBRARY = programs("docs/library.md");
// Zod is not installed here.
const JOBS = programs("docs/jobs.md").filter(({ source }) => !source.includes('from "zod"'));
const README = programs("README.md").filter(({ source }) => source.includes("new Manager("));
const GUIDES = ["docs/tutorial.md", ...readPages("docs/howto").map(({ path }) => path)]
  .flatMap(programs);

const EXECUTED = [...LIBRARY, ...README].filter(({ isCompileOnly }) => !isCompileOnly);

for (const runtime of USUAL_RUNTIMES) {
  test(`the programs of docs/library.md and README.md print what they say on ${runtime.name}`, async () => {
    const printed = await executeAll(EXECUTED.map(({ source }) => source), runtime);
    for (const [index, { title, source }] of EXECUTED.entries()) {
      const lines = printed[index]!;
      if (README.some((program) => program.source === source)) {
        assert.match(lines.join("\n"), /100/, title);
        continue;
      }
      assert.ok(expected(source).length > 0, `${title} says nothing of what it prints`);
      assert.deepEqual(lines, expected(source), title);
    }
  });
}

test("programs of the guides, docs/library.md, docs/jobs.md and README.md compile under strict", () =>
  withTempDir({}, async ({ path }) => {
    for (const [index, { source }] of [...GUIDES, ...LIBRARY, ...JOBS, ...README].entries()) {
      writeFileSync(join(path, `program_${index + 1}.ts`), source);
    }
    writeFileSync(join(path, "package.json"), '{ "type": "module" }');
    const options = {
      ...{ strict: true, noEmit: true, skipLibCheck: true, allowImportingTsExtensions: true },
      ...{ target: "ES2024", lib: ["ES2024", "ESNext.Disposable"] },
      ...{ module: "NodeNext", moduleResolution: "NodeNext", paths: PATHS },
      ...{ types: ["node"], typeRoots: [join(ROOT, "node_modules", "@types")] },
    };
    const config = { compilerOptions: options, include: ["*.ts"] };
    writeFileSync(join(path, "tsconfig.json"), JSON.stringify(config));
    const tsc = join(ROOT, "node_modules", ".bin", "tsc");
    await run(tsc, ["-p", path], { timeout: TIMEOUT_MS }).catch(({ stdout, message }) => {
      assert.fail(`${stdout || message}`);
    });
  }));
