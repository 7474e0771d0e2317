// Reads JUnit reports. Plain Node 20.
import { readFileSync } from "node:fs";
import { END_OF_FILE } from "./progress.mjs";

function attribute(tag, name) {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
  const entities = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return value.replace(/&(?:#(\d+)|(\w+));/g, (whole, code, entity) => {
    return code ? String.fromCodePoint(Number(code)) : entities[entity] ?? whole;
  });
}

/**
 * Read a JUnit report: the number of passed tests, file and name of failed ones, and the files
 * seen. Deno reports a test of a shared suite with the file of that suite.
 */
export function readReport(file) {
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return { passed: 0, failed: [], seen: new Set() };
  }
  let passed = 0;
  const failed = [];
  const seen = new Set();
  for (const [, tag, body] of text.matchAll(/<testcase\b([^>]*?)(?:\/>|>([^]*?)<\/testcase>)/g)) {
    const place = (attribute(tag, "file") || attribute(tag, "classname")).replace(/^\.\//, "");
    const name = attribute(tag, "name");
    if (name.startsWith(END_OF_FILE)) continue;
    seen.add(place);
    if (/<(failure|error)\b/.test(body ?? "")) failed.push({ file: place, name });
    else if (!/<skipped\b/.test(body ?? "")) passed += 1;
  }
  return { passed, failed, seen };
}
