import type { Definitions, TypeShape } from "../../core/arguments/signature.ts";

/** Depth to which a type is read again within itself, for its `Partial<…>` or `Pick<…>`. */
const EXPANSIONS_MAX = 4;

/** A named type while it is read. */
interface OpenType {
  /** Its name among the definitions, should it contain itself. */
  readonly name: string;
  /** The number of objects and lists open around it. */
  readonly nesting: number;
  /** Reads it once more, for a type such as `Partial<…>` that needs its members. */
  readonly again: () => TypeShape | null;
  isRecursive: boolean;
  /** The number of readings in progress, within each other. */
  expansions: number;
}

/** Tracks the named types being read, so that types that contain themselves become references. */
export class RecursiveTypes {
  readonly #open = new Map<string, OpenType>();
  /** Names of the finished types that contain themselves, by key. */
  readonly #finished = new Map<string, string>();
  readonly #definitions: Record<string, TypeShape> = Object.create(null);
  #nesting = 0;

  /** The types that contain themselves; undefined when there are none. */
  get definitions(): Definitions | undefined {
    const entries = Object.entries(this.#definitions);
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }

  /** Read parts of a list or an object: a type may contain itself there. */
  nested<T>(read: () => T): T {
    this.#nesting++;
    try {
      return read();
    } finally {
      this.#nesting--;
    }
  }

  /**
   * Read a named type, or refer to it if it is being read already.
   *
   * @param key identifies it among all types, with its type arguments
   * @returns null if it is only itself, or if `read` returns null
   */
  read(key: string, base: string, read: () => TypeShape | null): TypeShape | null {
    const finished = this.#finished.get(key);
    if (finished !== undefined) return { type: "ref", name: finished };
    const open = this.#open.get(key);
    if (open !== undefined) {
      if (open.nesting === this.#nesting) return null;
      open.isRecursive = true;
      return { type: "ref", name: open.name };
    }
    const entry: OpenType = {
      name: this.#nameFor(base),
      nesting: this.#nesting,
      again: read,
      isRecursive: false,
      expansions: 0,
    };
    this.#open.set(key, entry);
    let shape: TypeShape | null;
    try {
      shape = read();
    } finally {
      this.#open.delete(key);
    }
    if (!entry.isRecursive || shape === null) return shape;
    this.#definitions[entry.name] = shape;
    this.#finished.set(key, entry.name);
    return { type: "ref", name: entry.name };
  }

  #nameFor(base: string): string {
    const taken = new Set([...this.#open.values()].map((open) => open.name));
    let free = base;
    for (let count = 2; free in this.#definitions || taken.has(free); count++) {
      free = `${base}${count}`;
    }
    return free;
  }

  /** The shape behind a reference; the reference while its members are unknown. */
  expand(shape: TypeShape): TypeShape {
    if (shape.type !== "ref") return shape;
    const known = this.#definitions[shape.name];
    if (known !== undefined) return known;
    const open = [...this.#open.values()].find(({ name }) => name === shape.name);
    if (open === undefined || open.expansions >= EXPANSIONS_MAX) return shape;
    open.expansions++;
    try {
      return this.nested(open.again) ?? shape;
    } finally {
      open.expansions--;
    }
  }
}
