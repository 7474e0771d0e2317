import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { codeRanges, dropCaches } from "../../../src/platform/process/memory.ts";
import { runtimeName } from "../../../src/platform/system/runtime.ts";

const MAPS = `00200000-01a39000 r--p 00000000 fe:00 131 /opt/job ctl
01a3a000-06842000 r-xp 01838000 fe:00 131                        /opt/job ctl
06842000-06857000 rw-p 06641000 fe:00 131 /opt/job ctl
7f0000000000-7f0000100000 r-xp 00000000 fe:00 140 /lib/libc.so.6
7f0000200000-7f0000300000 r-xp 00000000 00:00 0
7f0000400000-7f0000500000 rwxp 00000000 fe:00 131 /opt/job ctl
7f0000600000-7f0000601000 r-xp 01838000 fe:00 131 /opt/job ctl (deleted)
`;

test("codeRanges() finds only pages of the program that nothing writes", () => {
  assert.deepEqual(codeRanges("/opt/job ctl", MAPS), [
    { address: 0x1a3a000, bytes: 0x6842000 - 0x1a3a000 },
  ]);
  assert.equal(codeRanges("/opt/job ctl (deleted)", MAPS).length, 1);
  assert.deepEqual(codeRanges("/opt/other", MAPS), []);
});

function fileKib(): number {
  return Number(/^RssFile:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]);
}

test("dropCaches() returns pages of the program, and it continues to run", {
  skip: (runtimeName() !== "bun" || process.platform !== "linux") && "only Bun on Linux",
}, () => {
  dropCaches();
  const before = fileKib();
  // Code of the runtime that nothing else here uses.
  for (const locale of ["de", "ar", "th"]) new Intl.DateTimeFormat(locale).format(0);
  "ſtraße".normalize("NFKD").toLocaleUpperCase("tr");
  new Intl.Collator("sv").compare("å", "z");
  const used = fileKib();
  assert.ok(used > before, `${used} KiB`);
  dropCaches();
  assert.ok(fileKib() < used, `${fileKib()} KiB, ${used} before`);
});
