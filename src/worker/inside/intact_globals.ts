// deno-lint-ignore-file no-explicit-any

/** A name that can stand after a dot. */
const NAME = /^[A-Za-z_$][\w$]*$/;
/** Names of ours: they are replaced on purpose, before the check is made. */
const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array);

/** What programs stand on: each holds functions that a careless job may replace. */
function objects(): readonly object[] {
  const names = [
    "Object,Function,Array,String,Number,Boolean,Symbol,BigInt,Date,RegExp,Promise,Map,Set,WeakMap,WeakSet,Error,TypeError",
    "RangeError,SyntaxError,ArrayBuffer,DataView,URL,URLSearchParams,Headers,Request,Response,Blob,FormData,AbortController",
    "AbortSignal,Event,EventTarget,TextEncoder,TextDecoder,ReadableStream,WritableStream,Buffer,WebSocket",
  ].join(",").split(",");
  const holders = names.map((name) => (globalThis as any)[name]).filter(isObject);
  return [
    globalThis,
    process,
    console,
    JSON,
    Math,
    Reflect,
    Atomics,
    Intl,
    TYPED_ARRAY,
    TYPED_ARRAY.prototype,
    ...holders,
    ...holders.map((holder) => (holder as any).prototype).filter(isObject),
  ];
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/**
 * A check whether the functions of the globals and of their prototypes are those that they are now, and no prototype has got
 * further ones by assignment.
 *
 * The check is compiled for each object, since it is made after each attempt: some 800 comparisons take 2 µs in place of 10.
 */
export function intactCheck(): () => boolean {
  const checks = objects().map(checkOf);
  return () => {
    for (const check of checks) if (!check()) return false;
    return true;
  };
}

function checkOf(object: object): () => boolean {
  const names = Reflect.ownKeys(object).filter((key): key is string => {
    if (typeof key !== "string" || !NAME.test(key)) return false;
    const property = Object.getOwnPropertyDescriptor(object, key);
    return typeof property?.value === "function";
  });
  const values = names.map((name) => (object as any)[name]);
  const terms = names.map((name, index) => `o.${name}===v[${index}]`);
  const isEmpty = object === globalThis || object === process || object === console ||
      countOf(object) > 0
    ? ""
    : "for(const _ in o)return false;";
  return new Function("o", "v", `return()=>{${isEmpty}return ${terms.join("&&") || "true"}}`)(
    object,
    values,
  );
}

function countOf(object: object): number {
  let count = 0;
  for (const _ in object) count += 1;
  return count;
}
