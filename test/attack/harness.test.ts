import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attack } from "../../scripts/attack/attack.ts";
import { ATTACKS } from "../../scripts/attack/attacks.ts";
import { callHeaders, streams } from "../../scripts/attack/frames.ts";
import { helpText, parseAttackArgs } from "../../scripts/attack/options.ts";
import { isJobError } from "../../src/core/errors.ts";

function attack(name: string, family: Attack["family"]): Attack {
  return { name, family, about: name, run: () => Promise.resolve() };
}

const KNOWN = [
  attack("pages", "reads"),
  attack("tls-a", "strangers"),
  attack("tls-b", "strangers"),
];

function names(...args: string[]): readonly string[] {
  return parseAttackArgs(args, KNOWN).attacks.map(({ name }) => name);
}

test("parseAttackArgs() takes a name, a family, a beginning, and all without any", () => {
  assert.deepEqual(names(), ["pages", "tls-a", "tls-b"]);
  assert.deepEqual(names("tls-b"), ["tls-b"]);
  assert.deepEqual(names("strangers", "tls-a"), ["tls-a", "tls-b"]);
  assert.deepEqual(names("tls", "pages"), ["pages", "tls-a", "tls-b"]);
  assert.deepEqual(names("quiet"), []);
});

test("parseAttackArgs() refuses an unknown attack, option and number of seconds", () => {
  for (const args of [["page"], ["--writ"], ["--seconds", "0"], ["--seconds", "x"]]) {
    assert.throws(
      () => parseAttackArgs(args, KNOWN),
      (error) => isJobError(error) && error.code === "invalid_argument",
      args.join(" "),
    );
  }
  assert.equal(parseAttackArgs(["--seconds", "3600"], KNOWN).seconds, 3_600);
});

test("the attacks have names of their own, and the help tells of each", () => {
  const all = ATTACKS.map(({ name }) => name);
  assert.equal(new Set(all).size, all.length);
  const help = helpText(ATTACKS);
  for (const { name, about } of ATTACKS) assert.ok(help.includes(name) && help.includes(about));
});

test("streams() numbers the frames of each stream with the next odd id", () => {
  const shape = { type: 0, flags: 1, payload: Buffer.from("ab") };
  const bytes = Buffer.concat([...streams([shape, shape], { from: 5, count: 3, perChunk: 2 })]);
  const ids = Array.from({ length: 6 }, (_, place) => bytes.readUInt32BE(place * 11 + 5));
  assert.deepEqual(ids, [5, 5, 7, 7, 9, 9]);
});

test("callHeaders() refers to its headers with a byte each after the first call", () => {
  const { first, again } = callHeaders("GetVersion", "token");
  assert.ok(first.includes("/job.v1.JobService/GetVersion") && first.includes("Bearer token"));
  // Two of the table that every peer has, then its own five from the oldest to the newest.
  assert.deepEqual([...again], [0x83, 0x86, 0xc2, 0xc1, 0xc0, 0xbf, 0xbe]);
});
