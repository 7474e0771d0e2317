import { JobError } from "../../core/errors.ts";
import { STEP_KEY_LENGTH_MAX } from "../../core/wait.ts";
import { quoteValue } from "../../core/text/quote_value.ts";

/** Longest name of a step, in characters. */
const NAME_LENGTH_MAX = 100;
/** Longest key that job code gives, encoded as in a URL. */
const GIVEN_LENGTH_MAX = 150;
/** Longest key of a step: records beside it have up to 16 more characters. */
const KEY_LENGTH_MAX = STEP_KEY_LENGTH_MAX - 16;
/** Characters that keys of records use. */
const RESERVED = /[#[\]/!\p{Cc}]/u;

/** All occurrences of a name. */
interface Entry {
  readonly name: string;
  count: number;
  /** The place in job code that gave it first. */
  readonly origin: Error;
  /** True if something else was open at the same time: another run may come in another order. */
  isShared: boolean;
}

/** A name that has begun and has not ended. */
export interface OpenName {
  /** Identifies it in all runs of the instance. */
  readonly key: string;
  readonly entry: Entry;
}

/**
 * Gives steps and waits the keys by which they are known again. A name may come again while nothing
 * else is open; anywhere else it needs a key, because another run could confuse the two.
 */
export class StepNames {
  readonly #prefix: string;
  readonly #entries = new Map<string, Entry>();
  readonly #open = new Set<OpenName>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** @throws JobError `invalid_argument` for a name that is none or comes again side by side */
  begin(type: string, name: unknown, key: unknown): OpenName {
    checkText(name, "name");
    const suffix = key === undefined ? "" : `[${keyText(key)}]`;
    return this.beginAs(`${type}:${name}${suffix}`, `${name}`);
  }

  /** Begin what has a key of its own kind. */
  beginAs(id: string, name: string): OpenName {
    const origin = new Error();
    let entry = this.#entries.get(id);
    const others = [...this.#open];
    const again = others.find((one) => one.entry.count > 1);
    if (entry !== undefined && (entry.isShared || others.length > 0)) {
      throw ambiguous(name, entry.origin, origin);
    }
    if (again !== undefined) throw ambiguous(again.entry.name, again.entry.origin, origin);
    if (entry === undefined) {
      entry = { name, count: 0, origin, isShared: false };
      this.#entries.set(id, entry);
    }
    entry.count += 1;
    if (others.length > 0) {
      entry.isShared = true;
      for (const other of others) other.entry.isShared = true;
    }
    const suffix = entry.count === 1 ? "" : `#${entry.count}`;
    const open = { key: this.#prefix + id + suffix, entry };
    checkKey(open.key, name);
    this.#open.add(open);
    return open;
  }

  end(open: OpenName): void {
    this.#open.delete(open);
  }
}

function ambiguous(name: string, first: Error, second: Error): JobError {
  const places = `${placeOf(first)} and ${placeOf(second)}`;
  return new JobError(
    "invalid_argument",
    `Cannot tell two of "${name}" apart, as they may run side by side: ${places}`,
    { path: "key", hint: `Give each a key: { key: … }` },
  );
}

function checkText(text: unknown, path: "name"): asserts text is string {
  const isValid = typeof text === "string" && text.length >= 1 && text.length <= NAME_LENGTH_MAX &&
    !RESERVED.test(text) && text.isWellFormed();
  if (isValid) return;
  throw new JobError(
    "invalid_argument",
    `Cannot use ${quoteValue(text)} as the ${path} of a step: expected a text of 1 to ` +
      `${NAME_LENGTH_MAX} characters without # [ ] / ! and control characters`,
    { path },
  );
}

/** A key that job code gave, as records have it. @throws JobError `invalid_argument` */
export function keyText(key: unknown): string {
  const isText = typeof key === "string" || typeof key === "number";
  const text = isText ? encodeURIComponent(String(key).toWellFormed()) : "";
  if (text.length >= 1 && text.length <= GIVEN_LENGTH_MAX) return text;
  throw new JobError(
    "invalid_argument",
    `Cannot use ${quoteValue(key)} as the key of a step: expected a number or a text of 1 to ` +
      `${GIVEN_LENGTH_MAX} characters, encoded as in a URL`,
    { path: "key" },
  );
}

/** @throws JobError `invalid_argument` for a key that cannot be stored */
function checkKey(key: string, name: string): void {
  if (key.length <= KEY_LENGTH_MAX && key.isWellFormed()) return;
  throw new JobError(
    "invalid_argument",
    `Cannot use ${quoteValue(name)} as the name of a step: with its keys it has ${key.length} ` +
      `characters in the store, at most ${KEY_LENGTH_MAX} are allowed`,
    { path: "name", hint: "Use shorter names and keys of ctx.each" },
  );
}

/** This folder: of the whole library, once that is bundled. */
const HERE = new URL(".", import.meta.url).pathname;
/** Other frames that are not of job code. */
const OTHERS =
  /[/\\](?:worker[/\\]attempt_scope|testing[/\\]stubs)\.ts|\$bunfs|node:|native:|\(<anonymous>\)/;

/** The line of job code in a stack, such as `order.ts:12`. */
function placeOf({ stack }: Error): string {
  const lines = stack?.split("\n").slice(1) ?? [];
  const line = lines.find((one) => !one.includes(HERE) && !OTHERS.test(one)) ?? "";
  return /([^/\\(\s]+:\d+):\d+\)?$/.exec(line)?.[1] ?? "unknown place";
}
