// A program for `deno test`: the test files named in its arguments, in one module. A separate
// module graph costs Deno 0.2 s of processor time per file.
import { argv, cwd } from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { END_OF_FILE } from "./progress.mjs";

for (const file of argv.slice(2)) {
  try {
    await import(pathToFileURL(`${cwd()}/${file}`).href);
  } catch (error) {
    test(`${file} loads`, () => {
      throw error;
    });
  }
  // Tests run in the order of their registration: when this one passes, the file's tests have
  // ended.
  test(`${END_OF_FILE}${file}`, () => {});
}
