/** A TypeScript type as far as arguments need it. */
export type TypeShape =
  | {
    readonly type:
      | "number"
      | "string"
      | "boolean"
      | "bigint"
      | "date"
      | "null"
      | "undefined"
      | "unknown";
  }
  | { readonly type: "literal"; readonly value: string | number | boolean }
  | { readonly type: "array"; readonly element: TypeShape }
  | { readonly type: "tuple"; readonly elements: readonly TypeShape[] }
  | { readonly type: "union"; readonly members: readonly TypeShape[] }
  | { readonly type: "object"; readonly name?: string; readonly members: readonly MemberShape[] }
  | { readonly type: "record"; readonly value: TypeShape };

/** One property of an object type. */
export interface MemberShape {
  readonly name: string;
  readonly shape: TypeShape;
  readonly isOptional: boolean;
  readonly doc?: string;
}

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
  readonly doc?: string;
  /** False when nothing is known of the types: arguments pass as given and are not counted. */
  readonly isTyped: boolean;
  /** What could not be read and is taken as `unknown`. */
  readonly warnings: readonly string[];
}
