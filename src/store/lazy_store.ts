import { createMethods } from "../platform/lazy.ts";
import { closedError } from "./closed_error.ts";
import type { ChangeHint, OpenRequest, Store } from "./store.ts";

/**
 * A store that is created when it is opened, so that only the code in use is loaded.
 *
 * @param make called once. If it throws, `open` throws the same, and the next `open` calls it again
 */
export function createLazyStore(make: () => Promise<Store>): Store {
  let store: Store | null = null;
  const listeners = new Map<(hint: ChangeHint) => void, () => void>();
  const listen = (to: Store, listener: (hint: ChangeHint) => void) =>
    listeners.set(listener, to.subscribe(listener));
  const own: Partial<Store> = {
    records: forward(() => store?.records, {}),
    open: async (request: OpenRequest) => {
      if (!store) {
        store = await make();
        for (const listener of listeners.keys()) listen(store, listener);
      }
      return await store.open(request);
    },
    close: async () => await store?.close(),
    subscribe: (listener) => {
      const entry = (hint: ChangeHint) => listener(hint);
      if (store) listen(store, entry);
      else listeners.set(entry, () => {});
      return () => {
        listeners.get(entry)?.();
        listeners.delete(entry);
      };
    },
    get problem() {
      return store?.problem ?? null;
    },
    // Without the method, callers poll the store.
    quietMs: (at) => store?.quietMs?.(at) ?? 0,
  };
  return forward(() => store, own);
}

/** The methods of a store, or of a part of one, that is created later. */
function forward<T extends object>(target: () => T | null | undefined, own: Partial<T>): T {
  return createMethods(own, (name) => {
    const found = target();
    if (found) return (found[name] as (...args: unknown[]) => unknown).bind(found);
    return (...args) => {
      const later = target();
      if (!later) return Promise.reject(closedError(name));
      return (later[name] as (...args: unknown[]) => unknown)(...args);
    };
  });
}
