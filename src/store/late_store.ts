import { closedError } from "./ledger/checks.ts";
import type { ChangeHint, OpenRequest, Store } from "./store.ts";

/**
 * A store that is made when it is opened, so that only what is used is loaded.
 *
 * @param make called once; what it throws is thrown by `open`, and it is called again by the next
 */
export function createLateStore(make: () => Promise<Store>): Store {
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
    // One that knows nothing of it is asked again and again.
    quietMs: (at) => store?.quietMs?.(at) ?? 0,
  };
  return forward(() => store, own);
}

/** An object whose methods are those of another that comes later and stays. */
function forward<T extends object>(target: () => T | null | undefined, own: Partial<T>): T {
  return new Proxy(own as T, {
    get(there, name) {
      if (name in there || typeof name !== "string" || name === "then") {
        return Reflect.get(there, name);
      }
      const found = target();
      if (!found) return () => Promise.reject(closedError(name));
      const method = (Reflect.get(found, name) as (...args: unknown[]) => unknown).bind(found);
      Reflect.set(there, name, method);
      return method;
    },
  });
}
