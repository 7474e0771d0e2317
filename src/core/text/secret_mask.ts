import { JobError } from "../errors.ts";
import type { ErrorInfo } from "../instance.ts";
import type { ConfigProblem } from "../config_problem.ts";
import { secretForms } from "./secret_forms.ts";
import { MATCH_LENGTH_MIN, TextMatcher } from "./text_matcher.ts";

/** Replaces a secret in output. */
const MASK = "***";
/** A string or number in JSON text. */
const JSON_TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/gs;

/**
 * Replaces secrets in all text that leaves the program, in every form of {@link secretForms}.
 *
 * Only whole secrets are replaced: otherwise, anyone who can print their own text could discover a
 * secret character by character.
 */
export class SecretMask {
  readonly #secrets = new Set<string>();
  /** Built when first needed. */
  #matcher: TextMatcher | null = null;
  #byteMatcher: TextMatcher | null = null;

  constructor(secrets: Iterable<string> = []) {
    this.add(secrets);
  }

  add(secrets: Iterable<string>): void {
    for (const secret of secrets) {
      if (secret.length < MATCH_LENGTH_MIN || this.#secrets.has(secret)) continue;
      this.#secrets.add(secret);
      this.#matcher = null;
      this.#byteMatcher = null;
    }
  }

  get isEmpty(): boolean {
    return this.#secrets.size === 0;
  }

  /** Longest form of a secret, in bytes of UTF-8; 0 without secrets. */
  get bytesMax(): number {
    return this.isEmpty ? 0 : this.#ofBytes().lengthMax;
  }

  /** `text` with {@link MASK} in place of each secret. */
  text(text: string): string {
    if (this.isEmpty || text.length < MATCH_LENGTH_MIN) return text;
    let masked = "";
    let end = 0;
    for (const range of this.#ofText().ranges(text)) {
      masked += text.slice(end, range.start) + MASK;
      end = range.end;
    }
    return end === 0 ? text : masked + text.slice(end);
  }

  /** JSON text with the secrets in strings, keys and numbers replaced; the result is valid JSON. */
  json(json: string): string {
    if (this.text(json) === json) return json;
    return json.replaceAll(JSON_TOKEN, (token) => {
      if (token[0] !== '"') return this.text(token) === token ? token : `"${MASK}"`;
      const text = JSON.parse(token) as string;
      const masked = this.text(text);
      return masked === text ? token : JSON.stringify(masked);
    });
  }

  /** Like {@link text}, with at most `lengthMax` characters: no secret is split. */
  bounded(text: string, lengthMax: number): string {
    if (text.length <= lengthMax) return this.text(text);
    const end = this.isEmpty ? lengthMax : cutBefore(this.#ofText(), text, lengthMax);
    return this.text(text.slice(0, end));
  }

  /** An error of job code. */
  error(error: ErrorInfo): ErrorInfo {
    if (this.isEmpty) return error;
    const { name, message, stack, signal } = error;
    return {
      ...error,
      name: this.text(name),
      message: this.text(message),
      ...(stack === undefined ? {} : { stack: this.text(stack) }),
      ...(typeof signal === "string" ? { signal: this.text(signal) } : {}),
    };
  }

  /** One of our errors, without its unmasked causes. */
  jobError(error: JobError): JobError {
    if (this.isEmpty) return error;
    const { code, message, hint, path } = error;
    const masked = new JobError(code, this.text(message), {
      hint: hint === undefined ? undefined : this.text(hint),
      path,
    });
    masked.stack = error.stack === undefined ? undefined : this.text(error.stack);
    return masked;
  }

  problem(problem: ConfigProblem): ConfigProblem {
    if (this.isEmpty) return problem;
    const { message, hint } = problem;
    return {
      ...problem,
      message: this.text(message),
      ...(hint === undefined ? {} : { hint: this.text(hint) }),
    };
  }

  /**
   * Position at which to cut a text without splitting a secret.
   *
   * @param bytes the text as UTF-8, read as Latin 1: one character a byte
   * @param at the latest position of the cut
   */
  cutBefore(bytes: string, at: number): number {
    return this.isEmpty ? at : cutBefore(this.#ofBytes(), bytes, at);
  }

  #ofText(): TextMatcher {
    return this.#matcher ??= new TextMatcher(this.#forms());
  }

  #ofBytes(): TextMatcher {
    return this.#byteMatcher ??= new TextMatcher([...this.#forms()].map(asBytes));
  }

  #forms(): Set<string> {
    const forms = new Set<string>();
    for (const secret of this.#secrets) {
      for (const form of secretForms(secret)) forms.add(form);
    }
    return forms;
  }
}

/** Start of the match that a cut at `at` would split; `at` without one, or for a match at 0. */
function cutBefore(matcher: TextMatcher, text: string, at: number): number {
  const { lengthMax } = matcher;
  const near = text.slice(Math.max(0, at - lengthMax), at + lengthMax);
  const offset = Math.max(0, at - lengthMax);
  for (const { start, end } of matcher.ranges(near)) {
    if (start + offset >= at) break;
    if (end + offset > at && start + offset > 0) return start + offset;
  }
  return at;
}

/** UTF-8 with one character for each byte. */
function asBytes(text: string): string {
  let bytes = "";
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}
