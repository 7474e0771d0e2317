import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const PAGE = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");

/** The block of the page that contains `text`. */
function blockWith(text: string): string {
  const block = [...PAGE.matchAll(/```\w+\n([^]*?)```/g)].find(([, body]) => body!.includes(text));
  assert.ok(block, `docs/operations.md has no block with ${text}`);
  return block[1]!;
}

test("docs/operations.md installs the unit after the user and the configuration", () => {
  const lines = blockWith("jobctl init").trimEnd().split("\n");
  const steps = [
    "useradd",
    "jobctl init /etc/jobctl",
    "jobctl check",
    "--dry-run",
    "install-service",
  ];
  assert.equal(lines.length, steps.length);
  for (const [at, step] of steps.entries()) assert.ok(lines[at]!.includes(step), `line ${at}`);
});
