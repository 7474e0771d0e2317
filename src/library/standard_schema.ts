import { quoteValue } from "../core/text/quote_value.ts";
import { JobError } from "../core/errors.ts";

/**
 * A schema of any library that implements Standard Schema (https://standardschema.dev), such as
 * Zod, Valibot and ArkType. Only the members used here are declared, so no package is needed.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The outcome of checking a value. */
type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The input type of a schema. */
export type SchemaInput<Schema> = Schema extends StandardSchema<infer Input, infer _Output> ? Input
  : never;

/** The output type of a schema. */
export type SchemaOutput<Schema> = Schema extends StandardSchema<infer _Input, infer Output>
  ? Output
  : never;

/** Most problems of one value that an error lists. */
const ISSUES_MAX = 5;

/** True if a value is a Standard Schema; some are functions. */
export function isSchema(value: unknown): value is StandardSchema {
  const isHolder = (typeof value === "object" && value !== null) || typeof value === "function";
  if (!isHolder) return false;
  const standard: unknown = Reflect.get(value as object, "~standard");
  return typeof standard === "object" && standard !== null &&
    typeof Reflect.get(standard, "validate") === "function";
}

/**
 * Check arguments, one schema for each, and return the schemas' outputs.
 *
 * @throws JobError `invalid_argument` with the path of the first faulty part, such as
 * `arguments[0].to`
 */
export async function validateAll(
  kind: string,
  schemas: readonly StandardSchema[],
  args: readonly unknown[],
): Promise<readonly unknown[]> {
  if (args.length > schemas.length) {
    throw new JobError(
      "invalid_argument",
      `Cannot use ${args.length} arguments of job "${kind}": it takes ${schemas.length}`,
      { path: `arguments[${schemas.length}]` },
    );
  }
  return await Promise.all(
    schemas.map((schema, index) => validate(schema, args[index], { kind, index })),
  );
}

async function validate(
  schema: StandardSchema,
  value: unknown,
  { kind, index }: { readonly kind: string; readonly index: number },
): Promise<unknown> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const [first] = result.issues;
  const path = `arguments[${index}]${pathText(first?.path ?? [])}`;
  const said = result.issues.slice(0, ISSUES_MAX).map((issue) => {
    const at = pathText(issue.path ?? []);
    return at === "" ? issue.message : `${at.replace(/^\./, "")}: ${issue.message}`;
  });
  throw new JobError(
    "invalid_argument",
    `Cannot use ${quoteValue(value)} as argument ${index + 1} of job "${kind}": ${said.join("; ")}`,
    { path, hint: result.issues.some((issue) => isTimeText(value, issue)) ? DATE_HINT : undefined },
  );
}

function pathText(path: NonNullable<SchemaIssue["path"]>): string {
  return keysOf(path).map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`)
    .join("");
}

/** Array.from, because the path of ArkType is a subclass of Array with another `map`. */
function keysOf(path: NonNullable<SchemaIssue["path"]>): readonly PropertyKey[] {
  return Array.from(path, (part) => typeof part === "object" ? part.key : part);
}

const DATE_HINT = "Arguments are stored as JSON: a schema for a Date must accept text";

/** True if an issue is about a time, which JSON has turned into text. */
function isTimeText(value: unknown, { path = [] }: SchemaIssue): boolean {
  const found = keysOf(path).reduce<unknown>((whole, key) => Object(whole)[key], value);
  return typeof found === "string" && /^\d{4}-\d\d-\d\dT/.test(found);
}
