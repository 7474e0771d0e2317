import fc from "fast-check";

/** A JSON Schema as the document has it. */
export type Schema = Readonly<Record<string, unknown>>;

/** A parameter of an operation. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly schema: Schema;
}

/** An operation of the document. */
export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

/** A request to make. */
export interface FuzzedRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What generated values are taken from, beside those of a schema. */
export interface Known {
  readonly schemas: Readonly<Record<string, Schema>>;
  /** Values that lead somewhere, by the name of the field. */
  readonly values: Readonly<Record<string, readonly unknown[]>>;
}

const HOSTILE = [
  ...["", " ", "\0", "__proto__", "constructor", "../..", "%2e%2e", "a/b", "{}", "'; --", "💥"],
  ...["\ud800", "\u202e", "NaN", "1e999", "-1", "9007199254740993", "null", "a".repeat(5_000)],
];
const TIMES = ["2026-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"];
/** Members of a wait: a longer one would only take time. */
const WAITS = new Set(["wait", "wait_ms"]);

const json = () =>
  fc.oneof(
    fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e300, 2 ** 53, "", "x", [], {}, [[]], [null]),
    fc.jsonValue({ maxDepth: 3 }),
  );

function mostly<T>(common: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 8, arbitrary: common }, { weight: 1, arbitrary: rare });
}

/** Values of a schema; wild ones are now and then others, and more of them at once. */
class Values {
  readonly #known: Known;
  readonly isWild: boolean;

  constructor(known: Known, isWild: boolean) {
    this.#known = known;
    this.isWild = isWild;
  }

  value(schema: Schema, depth = 0, name = ""): fc.Arbitrary<unknown> {
    const known = this.#known.values[name];
    if (this.isWild) return mostly(this.#valid(schema, depth), json());
    return known === undefined ? this.#valid(schema, depth) : fc.constantFrom(...known);
  }

  text(): fc.Arbitrary<string> {
    const known = Object.values(this.#known.values).flat().map(asText);
    return fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...known) },
      { weight: 1, arbitrary: fc.constantFrom(...HOSTILE) },
      { weight: 1, arbitrary: fc.string({ maxLength: 20, unit: "binary" }) },
    );
  }

  /** The text of a parameter. */
  parameter({ name, schema }: Parameter): fc.Arbitrary<string> {
    if (WAITS.has(name)) return fc.constantFrom("0", "1ms", "5", "", "soon", "-1");
    const value = this.value(schema, 0, name).map(asText);
    return this.isWild ? mostly(value, this.text()) : value;
  }

  #valid(schema: Schema, depth: number): fc.Arbitrary<unknown> {
    const reference = schema["$ref"];
    if (typeof reference === "string") {
      const name = decodeURIComponent(reference.split("/").at(-1)!);
      return depth > 5 ? json() : this.value(this.#known.schemas[name] ?? {}, depth + 1);
    }
    if (Array.isArray(schema["enum"])) return fc.constantFrom(...schema["enum"] as unknown[]);
    if ("const" in schema) return fc.constant(schema["const"]);
    if (Array.isArray(schema["anyOf"])) {
      return fc.oneof(...(schema["anyOf"] as Schema[]).map((one) => this.#valid(one, depth)));
    }
    switch (schema["type"]) {
      case "string":
        return this.#text(schema);
      case "boolean":
        return fc.boolean();
      case "integer":
        return fc.oneof(fc.integer({ min: -2, max: 20 }), fc.maxSafeInteger());
      case "number":
        return fc.double({ noNaN: true, noDefaultInfinity: true });
      case "array":
        return fc.array(this.value(schema["items"] as Schema ?? {}, depth + 1), { maxLength: 3 });
      case "object":
        return this.#object(schema, depth);
      default:
        return json();
    }
  }

  #text({ format, pattern }: Schema): fc.Arbitrary<string> {
    if (format === "date-time") {
      return mostly(
        fc.oneof(
          fc.constantFrom(...TIMES),
          fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("2100-01-01") })
            .map((date) => date.toISOString()),
        ),
        this.text(),
      );
    }
    if (pattern !== undefined) {
      return fc.constantFrom("0", "5ms", "1h30m", "36500d", "1m1m", "1.5h");
    }
    return this.text();
  }

  #object(schema: Schema, depth: number): fc.Arbitrary<unknown> {
    const required = new Set(schema["required"] as readonly string[] | undefined);
    const members = Object.entries(schema["properties"] as Record<string, Schema> ?? {}).map(
      ([name, member]) => {
        const value = this.value(member, depth + 1, name).map((each) => [[name, each]] as const);
        const weight = required.has(name) ? 90 : this.isWild ? 3 : 1;
        return fc.oneof({ weight, arbitrary: value }, { weight: 9, arbitrary: fc.constant([]) });
      },
    );
    const own = members.length === 0 ? fc.constant([]) : fc.tuple(...members);
    const none = fc.constant([] as (readonly [string, unknown])[]);
    const others = this.isWild
      ? mostly(none, fc.tuple(this.text(), json()).map((pair) => [pair]))
      : none;
    return fc.tuple(own, others).map(([some, more]) =>
      Object.fromEntries([...some.flat(1), ...more] as [string, unknown][])
    );
  }
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}

/** Half of a surrogate pair has no percent-encoding. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** Requests of an operation: one half as the document says, the other with what it does not. */
export function requestsOf(
  path: string,
  operation: Operation,
  known: Known,
): fc.Arbitrary<FuzzedRequest> {
  return fc.oneof(
    requestsWith(path, operation, new Values(known, false)),
    requestsWith(path, operation, new Values(known, true)),
  );
}

function requestsWith(
  path: string,
  { parameters = [], requestBody }: Operation,
  values: Values,
): fc.Arbitrary<FuzzedRequest> {
  const inPath = parameters.filter((one) => one.in === "path");
  const inQuery = parameters.filter((one) => one.in === "query");
  const schema = requestBody?.content["application/json"]?.schema;
  const some = (one: Parameter) =>
    fc.oneof(
      { weight: 1, arbitrary: values.parameter(one) },
      { weight: values.isWild ? 2 : 6, arbitrary: fc.constant(null) },
    ).map((text) => [one.name, text] as const);
  const rarely = <T>(common: fc.Arbitrary<T>, rare: fc.Arbitrary<T>) =>
    values.isWild ? mostly(common, rare) : common;
  const extra = rarely(
    fc.constant([] as string[][]),
    fc.tuple(values.text(), values.text()).map((pair) => [pair]),
  );
  return fc.record({
    path: fc.tuple(...inPath.map((one) => values.parameter(one))).map((texts) =>
      inPath.reduce((url, { name }, index) => url.replace(`{${name}}`, encode(texts[index]!)), path)
    ),
    query: fc.tuple(fc.tuple(...inQuery.map(some)), extra).map(([own, more]) =>
      new URLSearchParams([
        ...own.filter(([, text]) => text !== null) as [string, string][],
        ...more,
      ])
    ),
    headers: fc.record({
      "content-type": rarely(fc.constant("application/json"), values.text()),
      "idempotency-key": rarely(fc.constant(""), values.text()),
      "if-none-match": mostly(fc.constant(""), fc.constantFrom("*", '"x"', "W/")),
    }).map((headers) =>
      Object.fromEntries(Object.entries(headers).filter(([, text]) => text !== ""))
    ),
    body: schema === undefined ? fc.constant("") : rarely(
      values.value(schema).map((value) => JSON.stringify(value)),
      fc.oneof(values.text(), fc.constant(""), fc.constant("[".repeat(2_000))),
    ),
  });
}
