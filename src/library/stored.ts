/** Whether `T` is `any`. */
type IsAny<T> = 0 extends 1 & T ? true : false;

/** What is text once it was kept: see {@link Stored}. */
type TextLike = Date | RegExp | Uint8Array | ArrayBuffer | DataView;

/** What JSON has no form for: it is left out of objects. */
type Unstored = ((...args: never[]) => unknown) | symbol;

/**
 * What comes back of a value that was kept as JSON, as arguments and results are: a Date as ISO text, a bigint as number or
 * text, a Map of texts as an object, other maps as pairs, a Set as an array, bytes as base64. Plain data is the same.
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

/** Said by the compiler of a parameter that its function would be given as another type. */
export type NeedsParams =
  'this type does not survive JSON: say it in "params", as text or by a schema';

/** `T` where a value of it is the same once it was kept as JSON. */
export type Storable<T> = IsAny<T> extends true ? T : [Stored<T>] extends [T] ? T : NeedsParams;
