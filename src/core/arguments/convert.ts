import { withNumbers } from "./convert_scalar.ts";
import { convertValue } from "./convert_value.ts";
import {
  type ArgumentParameter,
  argumentsOf,
  describeSignature,
  describeType,
  literalOf,
} from "./describe.ts";
import { quoteValue } from "../text/quote_value.ts";
import { JobError } from "../errors.ts";
import { countText } from "../text/count_text.ts";
import { didYouMean } from "../text/nearest.ts";
import { openMembers } from "./open_members.ts";
import type { ArgumentInput, InjectedType, Signature } from "./signature.ts";

/** go-job's placeholder for an argument that is injected. */
const PLACEHOLDER = "?";

/**
 * Convert arguments to the types of a job's signature.
 *
 * Arguments are given by position or by name. The members of a destructured parameter, or of the
 * only parameter, count as names too.
 *
 * - Values of the type stay. Text is read as the type: `"42"` as a number, `"true"` as a boolean,
 *   ISO text or epoch milliseconds as a Date, JSON text as an array or object.
 * - An argument omitted before a given one becomes undefined, so that its default applies. So does
 *   null for an optional parameter whose type has no null, since JSON has no undefined.
 * - Members that an object's type does not name are kept.
 * - A `"?"` at the position of an injected parameter is dropped.
 * - Without types, values pass unchanged.
 *
 * Converting the JSON form of the returned values gives the same values again.
 *
 * @returns one value for each argument up to the last given one, without injected ones
 * @throws JobError `invalid_argument` with the path of the argument, such as `order.lines[2].price`
 */
export function convertArguments(
  signature: Signature,
  args: ArgumentInput,
  options: { readonly kind?: string } = {},
): unknown[] {
  const call = new Call(signature, options.kind);
  const values = Array.isArray(args) ? dropPlaceholders(signature, args) : call.byName(args);
  if (!signature.isTyped) return values.map(withNumbers);
  return keepPlaceholders(signature, call.convert(values));
}

/** The arguments that {@link convertArguments} returned, with injected values at their places. */
export function bindArguments(
  signature: Signature,
  converted: readonly unknown[],
  injected: Readonly<Record<InjectedType, unknown>>,
): unknown[] {
  const values = dropPlaceholders(signature, converted);
  const bound: unknown[] = [];
  let next = 0;
  for (const parameter of signature.parameters) {
    if (parameter.role === "injected") bound.push(injected[parameter.inject]);
    else if (!parameter.isRest) bound.push(values[next++]);
  }
  return [...bound, ...values.slice(next)];
}

/** Drop each `"?"` of an injected parameter, unless too few required arguments would remain. */
export function dropPlaceholders(signature: Signature, values: readonly unknown[]): unknown[] {
  if (!values.includes(PLACEHOLDER)) return [...values];
  const kept: unknown[] = [];
  let next = 0;
  for (const parameter of signature.parameters) {
    if (next >= values.length) break;
    if (parameter.role === "injected") {
      if (values[next] === PLACEHOLDER) next++;
    } else if (!parameter.isRest) kept.push(values[next++]);
  }
  kept.push(...values.slice(next));
  return kept.length < requiredCount(signature) ? [...values] : kept;
}

function requiredCount(signature: Signature): number {
  return argumentsOf(signature).findLastIndex((parameter) => !isOptional(parameter)) + 1;
}

function isOptional(parameter: ArgumentParameter): boolean {
  return parameter.isOptional || parameter.isRest;
}

// When stored arguments are read again, a text "?" must not look like a placeholder.
function keepPlaceholders(signature: Signature, values: unknown[]): unknown[] {
  if (!values.includes(PLACEHOLDER)) return values;
  if (dropPlaceholders(signature, values).length === values.length) return values;
  const padded: unknown[] = [];
  let next = 0;
  for (const parameter of signature.parameters) {
    if (next >= values.length) break;
    if (parameter.role === "injected") padded.push(PLACEHOLDER);
    else if (!parameter.isRest) padded.push(values[next++]);
  }
  return [...padded, ...values.slice(next)];
}

/** One call of a job: its parameters and error messages. */
class Call {
  readonly #parameters: readonly ArgumentParameter[];
  readonly #signature: Signature;
  readonly #kind: string | undefined;

  constructor(signature: Signature, kind: string | undefined) {
    this.#signature = signature;
    this.#kind = kind;
    this.#parameters = argumentsOf(signature);
  }

  #fail(message: string, path: string, hint?: string, cause?: unknown): never {
    const usage = `Usage: ${describeSignature(this.#kind ?? "JOB", this.#signature)}`;
    throw new JobError("invalid_argument", message, {
      hint: hint === undefined ? usage : `${hint} ${usage}`,
      path,
      cause,
    });
  }

  get #job(): string {
    return this.#kind === undefined ? "the job" : `job "${this.#kind}"`;
  }

  /** Arguments by position from arguments by name; undefined for missing ones. */
  byName(args: unknown): unknown[] {
    if (typeof args !== "object" || args === null) {
      this.#fail(
        `Cannot call ${this.#job} with ${quoteValue(args)}: ` +
          "arguments are an array, or an object by parameter name",
        "",
      );
    }
    const given = this.#sort(this.#read(args));
    const last = this.#parameters.findLastIndex((parameter) => given.has(parameter));
    const values: unknown[] = [];
    for (const parameter of this.#parameters.slice(0, last + 1)) {
      const value = given.get(parameter);
      if (!parameter.isRest) values.push(value);
      else if (value !== undefined) values.push(...this.#restValues(parameter, value));
    }
    return values;
  }

  /** The value of each parameter, from values of parameters and of members by name. */
  #sort(given: ReadonlyMap<string, unknown>): ReadonlyMap<ArgumentParameter, unknown> {
    const values = new Map<ArgumentParameter, unknown>();
    const members = new Map<ArgumentParameter, Map<string, unknown>>();
    for (const [name, value] of given) {
      const parameter = this.#parameters.find((each) => each.name === name);
      if (parameter !== undefined) {
        values.set(parameter, value);
        continue;
      }
      const home = this.#parameters.find((each) => this.#membersOf(each).includes(name));
      if (home === undefined) this.#refuseName(name);
      members.set(home, (members.get(home) ?? new Map()).set(name, value));
    }
    for (const [parameter, parts] of members) {
      const [first = ""] = parts.keys();
      if (values.has(parameter)) {
        this.#fail(
          `Cannot pass argument ${quoteValue(first)} to ${this.#job}: ` +
            `it is a member of ${nameOf(parameter)}, which is given too`,
          first,
        );
      }
      values.set(parameter, Object.fromEntries(parts));
    }
    return values;
  }

  #membersOf(parameter: ArgumentParameter): readonly string[] {
    return openMembers(parameter, this.#signature).map((member) => member.name);
  }

  #refuseName(name: string): never {
    const names = this.#parameters.flatMap((parameter) => {
      const members = this.#membersOf(parameter);
      return parameter.isPattern && members.length > 0 ? members : [parameter.name, ...members];
    });
    const found = names.length === 0 ? "it has no named arguments" : "it has no such argument";
    this.#fail(
      `Cannot pass argument ${quoteValue(name)} to ${this.#job}: ${found}`,
      name,
      didYouMean(name, names),
    );
  }

  #read(args: object): ReadonlyMap<string, unknown> {
    try {
      return new Map(Object.entries(args));
    } catch (cause) {
      this.#fail(`Cannot read the arguments of ${this.#job}: reading them throws`, "", "", cause);
    }
  }

  #restValues(parameter: ArgumentParameter, value: unknown): readonly unknown[] {
    const converted = convertValue({ type: "array", element: { type: "unknown" } }, value);
    if (converted.isOk) return converted.value as readonly unknown[];
    this.#fail(
      `Cannot convert argument "${parameter.name}" of ${this.#job}: ${converted.problem}`,
      parameter.name,
    );
  }

  convert(values: readonly unknown[]): unknown[] {
    const rest = this.#parameters.find((parameter) => parameter.isRest);
    const countMax = this.#parameters.length;
    if (values.length > countMax && rest === undefined) {
      this.#fail(
        `Cannot call ${this.#job} with ${countText(values.length, "argument")}: it takes ` +
          (countMax === 0
            ? "none"
            : `${requiredCount(this.#signature) < countMax ? "at most " : ""}${countMax}`),
        "",
        countMax === 0 ? "A command takes those that its table declares as params." : undefined,
      );
    }
    const converted: unknown[] = [];
    let position = 0;
    for (const parameter of this.#parameters) {
      if (parameter.isRest) break;
      const hasDefault = this.#signature.appliesDefaults === true &&
        parameter.defaultText !== undefined;
      if (position < values.length || !isOptional(parameter) || hasDefault) {
        converted.push(this.#one(parameter, values[position], parameter.name));
      }
      position++;
    }
    if (rest !== undefined) {
      for (const [index, value] of values.slice(position).entries()) {
        converted.push(this.#one(rest, value, `${rest.name}[${index}]`));
      }
    }
    return converted;
  }

  /**
   * The value of an omitted argument: usually undefined, so that the function applies its default.
   * It is the default itself if no function declares the parameter, or if the type includes null,
   * because undefined is stored as null.
   */
  #omitted(parameter: ArgumentParameter): unknown {
    const { name, shape, defaultText } = parameter;
    const { definitions } = this.#signature;
    const takesNull = convertValue(shape, null, definitions).isOk;
    const isKnownHereOnly = this.#signature.appliesDefaults === true;
    if (defaultText === undefined || !(takesNull || isKnownHereOnly)) return undefined;
    const literal = literalOf(defaultText);
    if (literal !== null) {
      const converted = convertValue(shape, literal.value, definitions);
      if (converted.isOk) return converted.value;
    }
    if (!takesNull) return undefined;
    this.#fail(
      `Cannot call ${this.#job}: argument "${name}" is missing`,
      name,
      "Its default is known only when the job runs, so it must be given when a later argument is.",
    );
  }

  #one(parameter: ArgumentParameter, value: unknown, path: string): unknown {
    let shape = parameter.shape;
    if (parameter.isRest) shape = shape.type === "array" ? shape.element : { type: "unknown" };
    if (value === undefined && isOptional(parameter) && !parameter.isRest) {
      return this.#omitted(parameter);
    }
    const converted = convertValue(shape, value, this.#signature.definitions);
    const isMissing = value === undefined && shape.type === "unknown";
    if (converted.isOk && !isMissing) return converted.value;
    // An omitted argument before a given one is null after a trip through JSON.
    if (value === null && parameter.isOptional && !parameter.isRest) return undefined;
    if (converted.isOk || value === undefined) {
      this.#fail(`Cannot call ${this.#job}: argument "${path}" is missing`, path);
    }
    // Callers of a destructured parameter know its members only.
    const isMember = parameter.isPattern && converted.path.startsWith(".");
    const place = isMember ? converted.path.slice(1) : `${path}${converted.path}`;
    this.#fail(
      `Cannot convert argument "${place}" of ${this.#job}: ${converted.problem}`,
      place,
      converted.hint ??
        (converted.path === "" ? undefined : `"${path}" is ${describeType(shape)}.`),
    );
  }
}

// The name of a destructured parameter is ours: no caller knows it.
function nameOf(parameter: ArgumentParameter): string {
  return parameter.isPattern ? describeType(parameter.shape) : `"${parameter.name}"`;
}
