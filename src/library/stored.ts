/** True if `T` is `any`. */
type IsAny<T> = 0 extends 1 & T ? true : false;

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

/** Compiler error for a parameter that its function would receive as another type. */
export type NeedsParams =
  'this type does not survive JSON: state it in "params", as text or by a schema';

/** `T`, if its values are unchanged after being stored as JSON. */
export type Storable<T> = IsAny<T> extends true ? T : [Stored<T>] extends [T] ? T : NeedsParams;
