import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import test from "node:test";
import { programPath, skipWithout } from "../../scripts/programs/install.mjs";
import { JOBCTL, runJobctl } from "../support/processes/daemon.ts";
import { readPages } from "../support/docs/pages.ts";

const WITHOUT_SCRIPT = { skip: skipWithout("script") };

/** What a terminal of 80 columns shows. */
function onTerminal(line: string, env: Readonly<Record<string, string>>): string {
  const command = `stty cols 80; ${JOBCTL} ${line}`;
  const run = spawnSync(programPath("script"), ["-qec", command, "/dev/null"], {
    // `npm test` turns colors off.
    env: { ...process.env, TERM: "xterm", NO_COLOR: "", ...env },
    encoding: "utf8",
    input: "",
  });
  assert.equal(run.status, 0, run.stdout);
  return run.stdout.replaceAll("\r", "");
}

test("the compiled file has every page, word for word", async () => {
  const listed = JSON.parse((await runJobctl(["docs"])).stdout) as { page: string }[];
  const names = readPages("docs").map(({ path }) => path.slice("docs/".length, -".md".length));
  assert.deepEqual(listed.map(({ page }) => page).sort(), names.sort());
  assert.equal(listed[0]!.page, "install");
  for (const name of ["cli", "howto/backup"]) {
    const { stdout } = await runJobctl(["docs", name]);
    const text = readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), "utf8");
    assert.equal(JSON.parse(stdout).text, text.trimEnd());
  }
});

test("docs shows a page with the program of PAGER on a terminal only", WITHOUT_SCRIPT, () => {
  const paged = onTerminal("docs faq", { PAGER: "sed s/^/PAGED:/" });
  assert.ok(paged.startsWith("PAGED:\x1b[1m"));
  assert.ok(
    paged.split("\n").filter((line) => line !== "").every((line) => line.startsWith("PAGED:")),
  );
  for (const PAGER of ["cat", "", "no-such-pager"]) {
    const plain = onTerminal("docs faq --no-color", { PAGER });
    assert.match(plain, /^Questions\n═+\n/m, `PAGER=${PAGER}`);
  }
  const { stdout } = spawnSync(JOBCTL, ["docs", "faq"], {
    env: { ...process.env, PAGER: "sed s/^/PAGED:/" },
    encoding: "utf8",
  });
  assert.match(stdout, /^Questions\n═+\n/);
});

test("docs ends quietly when the pager ends before the page", WITHOUT_SCRIPT, () => {
  assert.equal(onTerminal("docs configuration", { PAGER: "head -1" }).split("\n").length, 2);
});
