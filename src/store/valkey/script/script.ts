import { createHash } from "node:crypto";
import { withNumbers } from "./constants.ts";
import type { ValkeyScript } from "../link/link.ts";
import { ACCEPT } from "./accept.ts";
import { BASE } from "./base.ts";
import { CLAIM } from "./claim.ts";
import { DUE } from "./due.ts";
import { ENQUEUE } from "./enqueue.ts";
import { FIND } from "./find.ts";
import { LIMITS } from "./limits.ts";
import { MAIN } from "./main.ts";
import { PLAIN } from "./plain.ts";
import { PLAIN_CLAIM } from "./plain_claim.ts";
import { PLAIN_ENQUEUE } from "./plain_enqueue.ts";
import { PLAIN_SETTLE } from "./plain_settle.ts";
import { PROBLEMS } from "./problems.ts";
import { RECORDS } from "./records.ts";
import { NODES } from "./nodes.ts";
import { OUTCOMES } from "./outcomes.ts";
import { RETENTION } from "./retention.ts";
import { SCHEDULES } from "./schedules.ts";
import { SETTLE } from "./settle.ts";
import { SLOTS } from "./slots.ts";
import { TICKS } from "./ticks.ts";
import { WAITING } from "./waiting.ts";

/** Operations that are made together by a call that has one of them, so that the others cost it nothing. */
const FAMILIES = {
  enqueue: [ENQUEUE, PLAIN_ENQUEUE],
  claim: [LIMITS, CLAIM, PLAIN_CLAIM, DUE],
  outcomes: [OUTCOMES, PLAIN_SETTLE],
  find: [FIND],
  ticks: [TICKS],
  schedules: [SCHEDULES],
  retention: [RETENTION],
  nodes: [NODES],
  records: [RECORDS],
  problems: [PROBLEMS],
} as const;

/** A name of a family of operations. */
export type Family = keyof typeof FAMILIES;

/** Families that use functions of others. */
const NEEDS: { readonly [F in Family]?: readonly Family[] } = {
  records: ["claim", "find", "ticks", "schedules", "retention"],
};

/** The families that operations of these need, each once. */
export function withNeeds(families: readonly Family[]): readonly Family[] {
  return [...new Set(families.flatMap((one) => [...NEEDS[one] ?? [], one]))];
}

function assemble(): string {
  const families = Object.entries(FAMILIES).map(([name, parts]) =>
    `FAMILIES.${name} = function()${parts.join("")}end\n`
  );
  const body = [
    BASE,
    WAITING,
    SLOTS,
    ACCEPT,
    SETTLE,
    PLAIN,
    "local FAMILIES = {}\n",
    ...families,
    MAIN,
  ]
    .join("");
  return withNumbers(`${sharedTable(body)}local COMMANDS = {${commandsOf(body)}}\n${body}`);
}

/** Every command that the script gives, so that an opening can ask whether the user may: one in the midst would leave half. */
function commandsOf(body: string): string {
  const names = Array.from(
    body.matchAll(/\b(?:rcall|write_pairs)\('([A-Z]+)'/g),
    ([name]) => name!,
  );
  return [...new Set(names.map((name) => name.slice(name.indexOf("'"))))].join(", ");
}

/** Names that most calls use of the table `S` at most, a power of two; those of rare families make it grow. */
const SHARED_ROOM = 256;

/**
 * The table `S` of all functions and values that the parts of a call share. Were they locals, each function would look for those that
 * it uses among all of them when it is made, in every call. A table is made with room for the next power of two of the names it has
 * at first, so that these are no more than that takes: each is another write.
 */
function sharedTable(body: string): string {
  const names = new Set(Array.from(body.matchAll(/\bS\.(\w+)/g), ([, name]) => name!));
  const first = [...names].slice(0, SHARED_ROOM / 2 + 1);
  return `local S = {${first.map((name) => `${name} = false`).join(", ")}}\n`;
}

const text = assemble();

/** Every operation, in one script. */
export const STORE_SCRIPT: ValkeyScript = {
  text,
  sha1: createHash("sha1").update(text).digest("hex"),
};
