/** A TypeScript type as far as arguments need it. Plain data: it goes through JSON to workers and clients. */
export type TypeShape =
  | { readonly type: PlainType }
  | { readonly type: "literal"; readonly value: string | number | boolean }
  | { readonly type: "enum"; readonly name: string; readonly members: readonly EnumMember[] }
  | { readonly type: "array"; readonly element: TypeShape }
  | { readonly type: "set"; readonly element: TypeShape }
  | { readonly type: "tuple"; readonly elements: readonly TupleElement[] }
  | { readonly type: "union"; readonly members: readonly TypeShape[] }
  | {
    readonly type: "object";
    readonly name?: string;
    readonly members: readonly MemberShape[];
    /** Type of the members that are not named, from an index signature. */
    readonly rest?: TypeShape;
  }
  /** `key` is absent for any text. */
  | { readonly type: "record"; readonly key?: TypeShape; readonly value: TypeShape }
  | { readonly type: "map"; readonly key: TypeShape; readonly value: TypeShape }
  /** A type that contains itself, by its name in the signature's definitions. */
  | { readonly type: "ref"; readonly name: string };

/** Types without parts. */
export type PlainType =
  | "number"
  | "int"
  | "duration"
  | "string"
  | "boolean"
  | "bigint"
  | "date"
  | "url"
  | "bytes"
  | "null"
  | "undefined"
  | "unknown";

/** The types that contain themselves, by name. */
export type Definitions = Readonly<Record<string, TypeShape>>;

/** A member of an enum. */
export interface EnumMember {
  readonly name: string;
  readonly value: string | number;
}

/** An element of a tuple; a rest element stands for any number of its shape. */
export interface TupleElement {
  readonly shape: TypeShape;
  readonly name?: string;
  readonly isOptional?: boolean;
  readonly isRest?: boolean;
}

/** One property of an object type. */
export interface MemberShape {
  readonly name: string;
  readonly shape: TypeShape;
  readonly isOptional: boolean;
  readonly doc?: string;
}

/** A whole number: arguments that are none, or that a number cannot hold exactly, are refused. */
export type Int = number;

/** A length of time in milliseconds; its arguments are text such as "90s", "1h30m" or "7d", or milliseconds. */
export type Duration = number;

/** The types of ours that are injected wherever they stand and take no argument. */
export type InjectedType = "Context" | "Instance" | "Manager" | "Worker" | "AbortSignal";

/** One parameter of a job: an argument to convert, or something to inject. */
export type ParameterShape =
  | { readonly role: "injected"; readonly name: string; readonly inject: InjectedType }
  | {
    readonly role: "argument";
    readonly name: string;
    readonly shape: TypeShape;
    readonly isOptional: boolean;
    readonly isRest: boolean;
    /** True if it is destructured: callers know its members, not its name. */
    readonly isPattern?: boolean;
    /** Source text of the default value, for `describe`; the function itself applies it. */
    readonly defaultText?: string;
    readonly doc?: string;
  };

/** How a function is called: what a job's source says of its parameters and result. */
export interface Signature {
  readonly parameters: readonly ParameterShape[];
  /** Number of results: 0 for void, n for a tuple type of n, else 1; null when the source does not tell. */
  readonly resultCount: number | null;
  /** The declared result type as source text, for `describe`. */
  readonly resultText?: string;
  /** The type of the result inside `Promise`, when it is declared and can be read. */
  readonly result?: TypeShape;
  /** What `ref` shapes name. */
  readonly definitions?: Definitions;
  readonly doc?: string;
  /** Set when the parameters were given as text: their defaults stand there alone, and no function applies them. */
  readonly appliesDefaults?: true;
  /** False when nothing is known of the types: arguments pass as given and are not counted. */
  readonly isTyped: boolean;
  /** What could not be read and is taken as `unknown`. */
  readonly warnings: readonly SignatureWarning[];
}

/** Something in a source that cannot be read. Line and column start at 1; without a file it is the module itself. */
export interface SignatureWarning {
  readonly message: string;
  readonly file?: string;
  readonly line: number;
  readonly column: number;
}
