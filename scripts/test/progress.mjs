// Reads the output of `bun test` and `deno test` as they run, file by file. Plain Node 20.

/** Begins the name of the test that deno_files.mjs adds at the end of each file. */
export const END_OF_FILE = "end of file ";

/** Lines of passed and skipped tests. */
const BUN_PASSED = /^\((?:pass|skip)\) .*\n?/gm;
const DENO_PASSED = /^.* \.\.\. (?:ok|ignored) \(\S+\)\n?/gm;

/**
 * @typedef {object} EndedFile
 * @property {string} file
 * @property {number} seconds
 * @property {number} passed
 * @property {number} failed tests, or errors outside of tests
 * @property {string} output for a file that failed: all that it printed, without its passed tests
 */

function countOf(pattern, text) {
  return [...text.matchAll(pattern)].length;
}

/**
 * Reads `bun test`. Its output of a file begins with a line that names it.
 *
 * @param onFile called with an {@link EndedFile} for each
 */
export function bunProgress(onFile) {
  let file = null;
  let lines = [];
  let begunAt = performance.now();
  const other = [];
  const flush = () => {
    const text = lines.join("\n");
    const output = text.replace(BUN_PASSED, "");
    lines = [];
    if (file === null) {
      other.push(output);
      return;
    }
    const seconds = (performance.now() - begunAt) / 1_000;
    const passed = countOf(/^\(pass\) /gm, text);
    const failed = countOf(/^(?:\(fail\) |# Unhandled error)/gm, text);
    onFile({ file, seconds, passed, failed, output });
    file = null;
  };
  return {
    line(line) {
      const begun = /^(\S+\.test\.ts):$/.exec(line)?.[1];
      // The list of all failures at the end belongs to no file either.
      if (begun !== undefined || /^\d+ tests? failed:$|^ +\d+ pass$/.test(line)) flush();
      if (begun !== undefined) {
        file = begun;
        begunAt = performance.now();
      } else lines.push(line);
    },
    /** Output that belongs to no file. */
    end() {
      flush();
      return other.join("\n");
    },
  };
}

/**
 * Reads `deno test` of deno_files.mjs, which runs one file after the other, and of further files.
 *
 * @param onFile called with an {@link EndedFile} for each
 */
export function denoProgress(onFile) {
  let file = null;
  let lines = [];
  let begunAt = performance.now();
  let isOver = false;
  const flush = () => {
    const text = lines.join("\n");
    lines = [];
    if (file !== null) {
      const passed = countOf(/ \.\.\. ok \(\S+\)$/gm, text);
      const failed = countOf(/ \.\.\. FAILED \(/gm, text);
      const output = text.replace(DENO_PASSED, "");
      const seconds = (performance.now() - begunAt) / 1_000;
      if (passed + failed > 0) onFile({ file, seconds, passed, failed, output });
    }
    file = null;
    begunAt = performance.now();
  };
  return {
    line(line) {
      if (isOver) {
        lines.push(line);
        return;
      }
      const ended = line.startsWith(END_OF_FILE) && / \.\.\. ok \(/.test(line);
      const begun = /^running \d+ tests? from \.\/(\S+)$/.exec(line)?.[1];
      if (ended) {
        file = line.slice(END_OF_FILE.length).split(" ")[0];
        flush();
      } else if (begun !== undefined) {
        flush();
        file = begun;
      } else if (/^ (?:ERRORS|FAILURES) $|^(?:ok|FAILED) \| /.test(line)) {
        flush();
        isOver = true;
        lines.push(line);
      } else lines.push(line);
    },
    /** The details of all failures. */
    end() {
      const text = lines.join("\n");
      lines = [];
      return text;
    },
  };
}
