/**
 * The parts of a TypeScript type that arguments need. Plain data: workers and clients get it as
 * JSON.
 */
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
    /** Type of unnamed members, from an index signature. */
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

/** An element of a tuple. A rest element may be repeated any number of times. */
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

/** A whole number. Arguments that it cannot represent exactly are refused. */
export type Int = number;

/** A duration in milliseconds. Arguments are text such as "90s" or "1h30m", or milliseconds. */
export type Duration = number;

/** Arguments by position, or by parameter name. */
export type ArgumentInput = readonly unknown[] | Readonly<Record<string, unknown>>;

/** Our types that are injected at any position and take no argument. */
export type InjectedType = "Context" | "Instance" | "Manager" | "Worker" | "AbortSignal";

/** One parameter of a job: an argument to convert, or something to inject. */
export type ParameterShape =
  | { readonly role: "injected"; readonly name: string; readonly inject: InjectedType }
  | MemberShape & {
    readonly role: "argument";
    readonly isRest: boolean;
    /** True if it is destructured: callers know its members, not its name. */
    readonly isPattern?: boolean;
    /** Source text of the default value, for `describe`; the function itself applies it. */
    readonly defaultText?: string;
  };

/** The signature of a job: its parameters and result, as read from its source. */
export interface Signature {
  readonly parameters: readonly ParameterShape[];
  /** Number of results: 0 for void, n for a tuple type of n, otherwise 1; null if unknown. */
  readonly resultCount: number | null;
  /** The declared result type as source text, for `describe`. */
  readonly resultText?: string;
  /** Type of the result inside `Promise`, if declared and readable. */
  readonly result?: TypeShape;
  /** The shapes that `ref` shapes name. */
  readonly definitions?: Definitions;
  readonly doc?: string;
  /** Set if the parameters were given as text: no function applies their defaults. */
  readonly appliesDefaults?: true;
  /** False if the types are unknown: arguments pass unchanged and are not counted. */
  readonly isTyped: boolean;
  /** Unreadable types, which count as `unknown`. */
  readonly warnings: readonly SignatureWarning[];
}

/** An unreadable type. Line and column start at 1; without a file it is in the module itself. */
export interface SignatureWarning {
  readonly message: string;
  readonly file?: string;
  readonly line: number;
  readonly column: number;
}

/** The origin of a source that a signature is read from. */
export interface SourceOptions {
  /** Its path, for messages. If absolute, its relative imports are read for their types. */
  readonly file?: string;
  /** "js" takes no types; "ts" otherwise. */
  readonly language?: "ts" | "js";
}
