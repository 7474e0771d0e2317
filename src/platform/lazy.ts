/** A value that is loaded when first needed, which spares an idle daemon. */
export class Lazy<T> {
  readonly #load: () => Promise<T>;
  #loading: Promise<T> | null = null;
  #value: T | null = null;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** The loaded value; null before. */
  get value(): T | null {
    return this.#value;
  }

  /** The load in progress or done; null before that. */
  get loading(): Promise<T> | null {
    return this.#loading;
  }

  /** Load the value, once. After a failure the next call tries again. */
  async get(): Promise<T> {
    this.#loading ??= this.#load();
    try {
      return this.#value = await this.#loading;
    } catch (error) {
      this.#loading = null;
      throw error;
    }
  }
}

/**
 * An object whose methods are made on first use, and then kept.
 *
 * @param own its members that exist already
 * @param methodOf makes the method of a name
 */
export function createMethods<T extends object>(
  own: Partial<T>,
  methodOf: (name: keyof T & string) => (...args: any[]) => unknown,
): T {
  return new Proxy(own as T, {
    get(known, name) {
      // It must not look like a promise.
      if (name in known || typeof name !== "string" || name === "then") {
        return Reflect.get(known, name);
      }
      const method = methodOf(name as keyof T & string);
      Reflect.set(known, name, method);
      return method;
    },
  });
}

/** An object whose methods are loaded by the first call of one of them. All return promises. */
export function lazyMethods<T extends Record<keyof T, (...args: any[]) => Promise<unknown>>>(
  load: () => Promise<T>,
): T {
  const lazy = new Lazy(load);
  return createMethods<T>({}, (name) => async (...args) => (await lazy.get())[name](...args));
}
