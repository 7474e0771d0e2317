import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runJobctl, startDaemon } from "../support/processes/daemon.ts";

const FILES = ["", "-wal", "-commits"];
const COUNT = 60;
const FLIPS = 10;

test("a bit that flips in the log of a killed daemon never gives an older state in silence, fault 99", async () => {
  let daemon = await startDaemon({ toml: '[jobs.wait]\nrun = "true"\n[worker]\ncount = 0\n' });
  try {
    const client = daemon.client();
    const accepted: string[] = [];
    for (let index = 0; index < COUNT; index++) {
      accepted.push((await client.scheduleJob({ kind: "wait" })).instance!.uuid);
    }
    await daemon.kill();
    const killed = join(daemon.dir, "data", "jobctl.db");
    let count = 0;
    /** What a copy gives after a change: everything, or a refusal that names it. */
    const tryWith = async (change: (file: string) => void): Promise<"whole" | "refused"> => {
      const folder = join(daemon.dir, `copy-${count++}`);
      mkdirSync(folder);
      const file = join(folder, "jobs.db");
      for (const ending of FILES) copyFileSync(`${killed}${ending}`, `${file}${ending}`);
      change(file);
      const args = ["store", "info", "--store", `sqlite:${file}`];
      const { code, stdout, stderr } = await runJobctl(args, { cwd: folder });
      if (code === 0) {
        assert.equal(JSON.parse(stdout).instances, accepted.length);
        return "whole";
      }
      assert.equal(code, 7, stderr);
      assert.ok(stderr.includes(file), stderr);
      assert.match(stderr, /\d+ commits? up to \S+ (is|are) missing/);
      assert.match(stderr, /--salvage/);
      return "refused";
    };
    assert.equal(await tryWith(() => {}), "whole");
    const bytes = statSync(`${killed}-wal`).size;
    let refused = 0;
    for (let index = 0; index < FLIPS; index++) {
      const outcome = await tryWith((file) => {
        const log = readFileSync(`${file}-wal`);
        log[Math.floor((index + Math.random()) * bytes / FLIPS)]! ^= 1 << (index % 8);
        writeFileSync(`${file}-wal`, log);
      });
      if (outcome === "refused") refused += 1;
    }
    assert.ok(refused >= FLIPS - 2, `only ${refused} of ${FLIPS} were refused`);
    assert.equal(await tryWith((file) => truncateSync(`${file}-wal`, 0)), "refused");
    const empty = (file: string) => FILES.slice(0, 2).forEach((end) => truncateSync(file + end, 0));
    assert.equal(await tryWith(empty), "refused");
    // The daemon itself: refused, then told to go on.
    truncateSync(`${killed}-wal`, bytes - 10_000);
    await assert.rejects(daemon.restart(), /ended at once \(7\)[^]*commits? up to/);
    daemon = await daemon.restart(["--salvage"]);
    await daemon.logged(/WARN .*Continuing without .*\d+ commits? up to/);
    const { instances } = await daemon.client().lookupInstances({});
    assert.ok(instances.length > 0 && instances.length < COUNT, `${instances.length} are left`);
    daemon = await daemon.restart();
    assert.doesNotMatch(daemon.log(), /missing/);
  } finally {
    await daemon.stop({ force: true });
  }
});
