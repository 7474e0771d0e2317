import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { localOffsetMs, offsetIn } from "../../src/platform/local_offset.ts";

const FOLDER = "/usr/share/zoneinfo";
const ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"];
const HOUR = 3_600_000;

/** The offset by the runtime's own data. */
function wantedMs(timeZone: string, atMs: number): number {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
  const name = format.formatToParts(atMs).find(({ type }) => type === "timeZoneName")!.value;
  const [, sign = "+", hours = "0", minutes = "0"] = /GMT([+-])(\d+):(\d+)/.exec(name) ?? [];
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

for (const zone of ZONES) {
  test(`offsetIn() is what the runtime says of ${zone}`, {
    skip: !existsSync(`${FOLDER}/${zone}`),
  }, () => {
    const bytes = readFileSync(`${FOLDER}/${zone}`);
    let listed = 0;
    // Every eleven days and an hour of four years: before, in and after each change.
    for (let at = Date.UTC(2023, 0); at < Date.UTC(2027, 0); at += 265 * HOUR) {
      const found = offsetIn(bytes, at);
      if (found === null) continue;
      listed += 1;
      assert.equal(found, wantedMs(zone, at), new Date(at).toISOString());
    }
    assert.ok(listed > 0 || bytes.toString("latin1").includes(","), "nothing is listed");
  });
}

test("offsetIn() changes at the second of the change", {
  skip: !existsSync(`${FOLDER}/Europe/Berlin`),
}, () => {
  const bytes = readFileSync(`${FOLDER}/Europe/Berlin`);
  const change = Date.UTC(1996, 2, 31, 1);
  assert.equal(offsetIn(bytes, change - 1), HOUR);
  assert.equal(offsetIn(bytes, change), 2 * HOUR);
});

test("offsetIn() leaves to the runtime what it cannot read", () => {
  for (const text of ["", "TZif", "TZif2", `TZif2${"\xff".repeat(60)}`, "x".repeat(200)]) {
    assert.equal(offsetIn(Buffer.from(text, "latin1"), 0), null);
  }
});

test("localOffsetMs() is the offset of this process", () => {
  for (const atMs of [0, Date.UTC(2024, 0), Date.UTC(2024, 6), Date.UTC(2100, 6)]) {
    assert.equal(localOffsetMs(atMs), 0 - new Date(atMs).getTimezoneOffset() * 60_000);
  }
});
