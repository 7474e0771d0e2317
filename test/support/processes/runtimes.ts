import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { nodeProgram } from "../../../scripts/programs/npm_programs.mjs";

/** Folder of the project. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A runtime that programs of the library run on. */
export interface Runtime {
  readonly name: string;
  /** The program, and what it is given before the file to run. */
  readonly command: readonly string[];
  /** What makes it run the file again when that is saved. */
  readonly watch: readonly string[];
}

const BIN = join(ROOT, "node_modules", ".bin");

function nodeOf(major: number): Runtime {
  // The oldest one warns of node:sqlite.
  const command = [nodeProgram(major), "--no-warnings"];
  return { name: `Node ${major}`, command, watch: ["--watch", "--watch-preserve-output"] };
}

/** Bun, Deno, and the oldest and the newest Node that the library runs on. */
export const RUNTIMES: readonly Runtime[] = [
  {
    name: "Bun",
    command: [join(BIN, "bun")],
    watch: ["--watch", "--no-clear-screen"],
  },
  {
    name: "Deno",
    command: [join(BIN, "deno"), "run", "-A", "--no-check", "--config", join(ROOT, "deno.json")],
    watch: ["--watch", "--no-clear-screen"],
  },
  nodeOf(22),
  nodeOf(24),
];

/** All but the newest Node, where the oldest one shows the same. */
const SOME_RUNTIMES = RUNTIMES.slice(0, -1);

/** For tests of what the library does: `npm run slow -- runtimes` also takes the newest Node. */
export const USUAL_RUNTIMES = process.env["JOBCTL_RUNTIMES"] === "all" ? RUNTIMES : SOME_RUNTIMES;

/**
 * The library for the programs of a test file; call it outside of tests. It is bundled when the
 * first program is written: Node would take half a second for each program to strip the types of
 * all sources.
 */
export class ProgramLibrary {
  #folder: string | null = null;

  constructor() {
    after(() => {
      if (this.#folder === null) return;
      delete process.env.NODE_COMPILE_CACHE;
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  /**
   * Write a program that imports the library into a folder.
   *
   * @returns its path
   * @throws Error when a runtime is missing
   */
  write(folder: string, source: string): string {
    assertRuntimes();
    if (this.#folder === null) {
      this.#folder = bundleLibrary();
      // Node compiles it once, not for each program.
      process.env.NODE_COMPILE_CACHE = join(this.#folder, "compiled");
    }
    const file = join(folder, "program.ts");
    const library = pathToFileURL(this.#folder).href;
    const written = source.replaceAll('"ts-job"', JSON.stringify(`${library}/index.js`))
      .replaceAll('"ts-job/testing"', JSON.stringify(`${library}/testing/index.js`));
    writeFileSync(file, written);
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    return file;
  }
}

function bundleLibrary(): string {
  const folder = mkdtempSync(join(tmpdir(), "ts-job-library-"));
  const sources = ["index.ts", "testing/index.ts"].map((path) => join(ROOT, "src", path));
  const to = ["--target=node", "--minify", "--splitting", "--outdir", folder];
  execFileSync(join(BIN, "bun"), ["build", ...sources, ...to], { stdio: "pipe" });
  // The files are modules.
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  return folder;
}

function assertRuntimes(): void {
  const missing = RUNTIMES.filter(({ command }) => !existsSync(command[0]!));
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(", ");
  throw new Error(`There is no ${names} here: \`npm test\` installs them`);
}
