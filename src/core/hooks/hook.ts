import type { ArgumentInput } from "../arguments/signature.ts";
import { JobError } from "../errors.ts";
import { type JsonPath, parseJsonPath } from "./json_path.ts";

/** Signature schemes of deliveries. */
export const HOOK_FORMS = ["github", "stripe", "standard", "token"] as const;
/** One of {@link HOOK_FORMS}. */
export type HookForm = (typeof HOOK_FORMS)[number];

/** Start of the paths of hooks; the kind follows. */
export const HOOK_PATH = "/hooks/";
/** Shortest secret, in characters. */
export const SECRET_CHARS_MIN = 16;
/** Most secrets of one hook: two during a rotation. */
export const SECRETS_MAX = 5;
/** Most arguments, and most conditions, of one hook. */
export const HOOK_PARTS_MAX = 100;
/** The header of the secret of the form "token", unless the hook names another one. */
export const TOKEN_HEADER = "authorization";

/** Place of a value in a delivery. */
export type HookSource =
  & { /** As configured. */ readonly text: string }
  & (
    | { readonly part: "body"; readonly path: JsonPath }
    | { readonly part: "header" | "query"; readonly name: string }
  );

/** An argument of the job, and its place in a delivery. */
export interface HookArgument {
  /** Its name, or its position from 0. */
  readonly name: string | number;
  readonly from: HookSource;
  /** False if the argument is optional. */
  readonly isRequired: boolean;
}

/** A required value of a delivery; deliveries without it are ignored. */
export interface HookCondition {
  readonly from: HookSource;
  /** Any of these. */
  readonly values: readonly (string | number | boolean)[];
}

/** Settings for starting a job by HTTP requests: the `hook` of its table. */
export interface JobHook {
  readonly form: HookForm;
  /** Any of them is accepted. */
  readonly secrets: readonly string[];
  /** With the form "token": the header of the secret, in lower case. */
  readonly header: string;
  /** Longest distance of a signed time from now. */
  readonly replayWindowMs: number;
  readonly arguments: readonly HookArgument[];
  readonly conditions: readonly HookCondition[];
}

/** The hook of a job's table, before its arguments are compared with the job's signature. */
export interface HookTable extends Omit<JobHook, "arguments"> {
  readonly arguments: readonly Omit<HookArgument, "isRequired">[];
}

/** The forms whose signature covers a time. */
export const TIMED_FORMS: ReadonlySet<HookForm> = new Set(["stripe", "standard"]);

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~\dA-Za-z]{1,100}$/;

/** A source in words. */
export const SOURCE_WANTED = 'a path such as "$.ref", "header:NAME" or "query:NAME"';

/**
 * Read where a value of a delivery is: `$.path`, `header:NAME` or `query:NAME`.
 *
 * @throws JobError `invalid_argument`
 */
export function parseHookSource(text: string): HookSource {
  const [, part, name = ""] = /^(header|query):(.*)$/s.exec(text) ?? [];
  if (part === "header") {
    if (HEADER_NAME.test(name)) return { text, part, name: name.toLowerCase() };
    throw refuse(text, "this is not the name of a header");
  }
  if (part === "query") {
    if (name !== "") return { text, part, name };
    throw refuse(text, "the name of the parameter is missing");
  }
  if (text.startsWith("$")) return { text, part: "body", path: parseJsonPath(text) };
  throw refuse(text, `wanted ${SOURCE_WANTED}`);
}

function refuse(text: string, problem: string): JobError {
  const shown = JSON.stringify(text.slice(0, 60));
  return new JobError("invalid_argument", `Cannot read a value from ${shown}: ${problem}`, {
    hint: 'Write "$.name" for a member of the body, "header:x-name" or "query:name"',
  });
}

/** True if a text can be the name of a header. */
export function isHeaderName(text: string): boolean {
  return HEADER_NAME.test(text);
}

/** True if a path, without the base path, belongs to a hook. */
export function isHookPath(path: string): boolean {
  return path.startsWith(HOOK_PATH);
}

/** The path of a job's hook, without the base path. */
export function hookPathOf(kind: string): string {
  return HOOK_PATH + encodeURIComponent(kind);
}

/** Its arguments in words, such as `ref = $.ref`. */
export function argumentTexts({ arguments: passed }: JobHook): string[] {
  return passed.map(({ name, from }) =>
    `${typeof name === "number" ? `$${name + 1}` : name} = ${from.text}`
  );
}

/** Its conditions in words, such as `$.ref = "refs/heads/main"`. */
export function conditionTexts({ conditions }: JobHook): string[] {
  return conditions.map(({ from, values }) =>
    `${from.text} = ${values.map((value) => JSON.stringify(value)).join(" or ")}`
  );
}

/** The bytes of a secret of Standard Webhooks, `whsec_` and base64; null for other text. */
export function standardKey(secret: string): Uint8Array | null {
  const text = secret.replace(/^whsec_/, "");
  if (!/^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/.test(text)) {
    return null;
  }
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** A request to the hook of a job, once its signature was right. */
export interface HookDelivery {
  /** The id of its instance, equal for equal deliveries; null: a new one. */
  readonly id: string | null;
  readonly arguments: ArgumentInput;
}

/** The run that a delivery has started. */
export interface HookRun {
  /** Of its instance. */
  readonly id: string;
  /** False if it was started before. */
  readonly isNew: boolean;
}
