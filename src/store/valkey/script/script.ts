import { createHash } from "node:crypto";
import { withValues } from "./constants.ts";
import type { ValkeyScript } from "../link/link.ts";
import { LUA } from "./gen/lua_text.ts";

/**
 * Operations by family. A call defines only the families that it uses, so that the others cost
 * nothing. Their Lua is in generated text because Node cannot import a .lua file; Bun and Deno can.
 */
const FAMILIES = {
  enqueue: [LUA.enqueue],
  claim: [LUA.limits, LUA.claim, LUA.plain_claim],
  outcomes: [LUA.outcomes],
  find: [LUA.find],
  ticks: [LUA.ticks],
  schedules: [LUA.schedules],
  retention: [LUA.retention],
  memos: [LUA.memos],
  flows: [LUA.flows],
  nodes: [LUA.nodes],
  records: [LUA.records],
  problems: [LUA.problems],
} as const;

type Family = keyof typeof FAMILIES;

/** Families that use functions of other families. */
const NEEDS: { readonly [F in Family]?: readonly Family[] } = {
  records: ["claim", "find", "ticks", "schedules", "retention", "memos"],
  retention: ["ticks"],
  flows: ["memos"],
  problems: ["memos"],
};

/** The families that each operation needs; "open" needs none. */
const FAMILIES_OF: ReadonlyMap<string, readonly Family[]> = new Map(
  Object.entries(FAMILIES).flatMap(([name, parts]) => {
    const family = name as Family;
    const needed = [...NEEDS[family] ?? [], family];
    const actions = parts.join("").matchAll(/\bS\.ACTIONS\.(\w+)/g);
    return Array.from(actions, ([, action]) => [action!, needed] as const);
  }),
);

/** The families that these operations need, each once. */
export function familiesOf(actions: readonly string[]): readonly Family[] {
  return [...new Set(actions.flatMap((action) => FAMILIES_OF.get(action) ?? []))];
}

function assemble(): string {
  const families = Object.entries(FAMILIES).map(([name, parts]) =>
    `FAMILIES.${name} = function()\n${parts.join("")}end\n`
  );
  const body = [
    "local FAMILIES = {}\n",
    LUA.base,
    LUA.waiting,
    LUA.slots,
    LUA.accept,
    LUA.attempt_ends,
    LUA.plain,
    ...families,
    LUA.main,
  ].join("");
  return withValues(`${sharedTable(body)}local COMMANDS = {${commandsOf(body)}}\n${body}`);
}

/**
 * All commands of the script. Opening checks that the user may execute them, since a call that
 * fails in the middle would leave half of its changes.
 */
function commandsOf(body: string): string {
  const names = Array.from(
    body.matchAll(/\b(?:rcall|write_pairs)\('([A-Z]+)'/g),
    ([name]) => name!,
  );
  return [...new Set(names.map((name) => name.slice(name.indexOf("'"))))].join(", ");
}

/** Initial room of the table `S`, a power of two. Names of rare families make it grow. */
const SHARED_ROOM = 256;

/**
 * The table `S` of all functions and values that the parts of a call share. Locals would be looked
 * up again in every function and call. Lua rounds the size of a table's initial names up to a power
 * of two, so only as many names are listed as that takes: each costs a write.
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
