import type { OwnedTables } from "../../src/store/ledger/tables/tables.ts";

/** The target with some methods of others. */
export function override<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      const planted = Reflect.get(methods, key);
      if (planted) return planted;
      const value = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/**
 * OwnedTables with some methods of their subjects replaced; the subjects may only exist once
 * opened.
 */
export function overrideTables(
  tables: OwnedTables,
  subjects: { readonly [Name in keyof OwnedTables]?: Partial<OwnedTables[Name]> },
): OwnedTables {
  return new Proxy(tables, {
    get(_, key) {
      const methods = Reflect.get(subjects, key);
      const value = Reflect.get(tables, key);
      if (methods && value) return override(value as object, methods as object);
      return typeof value === "function" ? value.bind(tables) : value;
    },
  });
}
