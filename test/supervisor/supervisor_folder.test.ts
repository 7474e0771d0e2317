import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { createLogger, silentLogger } from "../../src/platform/logger.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { ClaimSeal } from "../../src/supervisor/claim_seal.ts";
import { findSupervisors } from "../../src/supervisor/find_supervisors.ts";
import { markerOfRun } from "../../src/supervisor/protocol.ts";
import {
  openFolder,
  readRecord,
  recordOf,
  updateRecord,
  writeRecord,
} from "../../src/supervisor/supervisor_folder.ts";
import { programCommand } from "../support/attempts.ts";

const root = mkdtempSync(join(tmpdir(), "folder-"));
const RECORD = {
  ...{ secret: "s", token: "t", key: "k", isForeign: false, graceMs: null },
  daemon: "1234567:987654321:boot",
};
const identity = { fateOf: () => "gone" as const };
let folders = 0;

after(() => rmSync(root, { recursive: true, force: true }));

function makePlace() {
  const folder = join(root, String(folders += 1));
  openFolder(folder);
  return { folder, place: join(folder, "one") };
}

const isWindows = process.platform === "win32";

test("what a command of the daemon's user puts in place of a record or the key stops no daemon", {
  skip: isWindows,
}, async () => {
  const { folder, place } = makePlace();
  const plant = (path: string, how: "pipe" | "huge" | "link") => {
    rmSync(path, { force: true });
    if (how === "pipe") spawnSync("mkfifo", [path]);
    else if (how === "link") symlinkSync("/dev/zero", path);
    else {
      writeFileSync(path, "");
      truncateSync(path, 2 ** 40);
    }
  };
  for (const how of ["pipe", "huge", "link"] as const) {
    plant(recordOf(place), how);
    plant(join(folder, "key"), how);
    assert.equal(readRecord(place), null);
    assert.equal(ClaimSeal.read(folder), null);
    const surroundings = { clock: systemClock, logger: silentLogger, identity };
    assert.deepEqual(await findSupervisors(folder, surroundings), []);
    assert.equal(existsSync(recordOf(place)), false, how);
    const claim = { id: "00000000-0000-7000-8000-000000000001", fence: 3 };
    const sealed = ClaimSeal.open(folder, systemRandom).seal(claim, "t.1");
    assert.ok(ClaimSeal.read(folder)!.isGenuine(sealed, "t.1"), how);
  }
  assert.deepEqual(readdirSync(folder), ["key"]);
});

test("a record changes within the same file, and is complete at every moment", () => {
  const { folder, place } = makePlace();
  writeRecord(place, RECORD);
  assert.deepEqual(readdirSync(folder), ["one.json"]);
  const before = statSync(recordOf(place));
  for (const daemon of ["1:2:boot", "12345678:9876543210:boot", null]) {
    updateRecord(place, { ...RECORD, daemon });
    assert.deepEqual(readRecord(place), { ...RECORD, daemon });
  }
  const { ino, size, mode } = statSync(recordOf(place));
  assert.equal(ino, before.ino);
  assert.equal(mode & 0o777, 0o600);
  assert.ok(size >= before.size);
});

// A limit of the size of files stands for a full disk.
const testOfLimits = process.platform === "linux" && runtimeName() === "bun" ? test : () => {};
testOfLimits("a record that cannot be changed remains as it was", () => {
  const { place } = makePlace();
  writeRecord(place, RECORD);
  const limited = ["-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "sh"];
  const { stdout, stderr } = spawnSync("/bin/sh", [
    ...limited,
    ...programCommand("update_record.ts"),
    place,
    JSON.stringify({ ...RECORD, daemon: "2" }),
  ], { encoding: "utf8" });
  assert.equal(stdout, "EFBIG\n", stderr);
  assert.deepEqual(readRecord(place), RECORD);
});

test("findSupervisors() believes nothing in a folder that others may enter", async () => {
  const { folder, place } = makePlace();
  writeRecord(place, RECORD);
  chmodSync(folder, 0o777);
  const lines: string[] = [];
  const logger = createLogger({
    ...{ clock: systemClock, level: "warn", format: "text" },
    write: (line) => lines.push(line),
  });
  assert.deepEqual(await findSupervisors(folder, { clock: systemClock, logger, identity }), []);
  assert.ok(existsSync(recordOf(place)));
  assert.match(
    lines.join("\n"),
    /Did not look for commands .* every user can write to it .*hint="Remove it: the daemon/,
  );
  chmodSync(folder, 0o700);
  chmodSync(dirname(folder), 0o777);
  await findSupervisors(folder, { clock: systemClock, logger, identity });
  assert.match(lines.at(-1)!, /hint="chmod go-w \S*folder-\w+"\n$/);
  assert.ok(existsSync(recordOf(place)));
  chmodSync(dirname(folder), 0o700);
  await findSupervisors(folder, { clock: systemClock, logger: silentLogger, identity });
  assert.ok(!existsSync(recordOf(place)));
});

test("a seal keeps its key in its folder, also in one that was made again", () => {
  const { folder } = makePlace();
  const seal = ClaimSeal.open(folder, systemRandom);
  const claim = { id: "00000000-0000-7000-8000-000000000001", fence: 3 };
  const sealed = seal.seal(claim, markerOfRun("t", 1));
  for (let round = 0; round < 2; round++) {
    assert.ok(ClaimSeal.read(folder)!.isGenuine(sealed, markerOfRun("t", 1)));
    assert.equal(readFileSync(join(folder, "key")).length, 32);
    rmSync(folder, { recursive: true });
    openFolder(folder);
    seal.keepIn(folder);
  }
});
