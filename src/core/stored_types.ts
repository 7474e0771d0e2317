/** Any function can be a job. */
// deno-lint-ignore no-explicit-any
export type JobFunction = (...args: any[]) => unknown;

/** True if `T` is `any`. */
export type IsAny<T> = 0 extends 1 & T ? true : false;

/** Types that are stored as text: see {@link Stored}. */
type TextLike = Date | RegExp | Uint8Array | ArrayBuffer | DataView;

/** Types without a JSON form, which JSON omits from objects. */
type Unstored = ((...args: never[]) => unknown) | symbol;

/**
 * The type of a value after it was stored as JSON, as arguments and results are: a Date as ISO
 * text, a bigint as number or text, a Map of texts as an object, other maps as pairs, a Set as an
 * array, bytes as base64. Plain data is unchanged.
 */
export type Stored<T> = IsAny<T> extends true ? T
  : T extends string | number | boolean | null | undefined ? T
  : T extends bigint ? number | string
  : T extends Unstored ? never
  : T extends TextLike ? string
  : T extends Error ? { readonly name: string; readonly message: string }
  : T extends ReadonlyMap<infer Key, infer Value>
    ? Readonly<Record<string, Stored<Value>>> | readonly (readonly [Stored<Key>, Stored<Value>])[]
  : T extends ReadonlySet<infer Value> ? readonly Stored<Value>[]
  : T extends { toJSON(): infer Plain } ? Stored<Plain>
  : T extends readonly unknown[] ? { [Index in keyof T]: Stored<T[Index]> }
  : T extends object ? { [Key in keyof T as T[Key] extends Unstored ? never : Key]: Stored<T[Key]> }
  : T;

/** Types of parameters that are injected and take no argument, by members that only they have. */
type Injected =
  | { readonly manager: object; readonly discard: unknown }
  | { readonly kind: string; readonly fence: number; readonly log: object }
  | { readonly scheduleJob: unknown; readonly waitInstance: unknown }
  | { readonly id: string; readonly pid: number; readonly node: string | null }
  | AbortSignal;
type IsInjected<T> = unknown extends T ? false : [T] extends [never] ? false
: [T] extends [Injected] ? true
: false;

/** Arguments of a function whose `params` are text; injected parameters take none. */
export type TextArguments<Args extends readonly unknown[]> = number extends Args["length"] ? Args
  : Args extends readonly [] ? []
  : Args extends [infer First, ...infer Rest]
    ? IsInjected<First> extends true ? TextArguments<Rest> : [First, ...TextArguments<Rest>]
  : Args extends [(infer First)?, ...infer Rest] ? [First?, ...TextArguments<Rest>]
  : Args;
