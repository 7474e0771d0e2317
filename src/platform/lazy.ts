/** A value that is loaded when it is first needed: an idle daemon does without it. */
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

  /** The load in progress or done; null if nothing has needed it yet. */
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
