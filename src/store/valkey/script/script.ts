import { createHash } from "node:crypto";
import { withNumbers } from "./constants.ts";
import type { ValkeyScript } from "../link/link.ts";
import { LUA } from "./gen/lua_text.ts";

/** Operations that are made together by a call that has one of them, so that the others cost it nothing. */
const FAMILIES = {
  enqueue: [LUA.enqueue, LUA.plain_enqueue],
  claim: [LUA.limits, LUA.claim, LUA.plain_claim, LUA.due],
  outcomes: [LUA.outcomes, LUA.plain_settle],
  find: [LUA.find],
  ticks: [LUA.ticks],
  schedules: [LUA.schedules],
  retention: [LUA.retention],
  nodes: [LUA.nodes],
  records: [LUA.records],
  problems: [LUA.problems],
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
    `FAMILIES.${name} = function()\n${parts.join("")}end\n`
  );
  const body = [
    ...[LUA.base, LUA.waiting, LUA.slots, LUA.accept, LUA.settle, LUA.plain],
    "local FAMILIES = {}\n",
    ...families,
    LUA.main,
  ].join("");
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

function scriptOf(text: string): ValkeyScript {
  return { text, sha1: createHash("sha1").update(text).digest("hex") };
}

/** Every operation of the store, in one script. */
export const STORE_SCRIPT = scriptOf(assemble());

/** Returns which data the server has; see `head.lua`. */
export const HEAD_SCRIPT = scriptOf(LUA.head);

/** Deletes the keys of a namespace; see `drop.lua`. */
export const DROP_SCRIPT = scriptOf(LUA.drop);
