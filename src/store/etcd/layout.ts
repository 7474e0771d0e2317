import { JobError } from "../../core/errors.ts";

/** Layout of the keys; a store refuses a newer one. */
export const LAYOUT = 1;
/** Largest piece of a row's value, in bytes: a request to etcd takes 1.5 MiB. */
export const PIECE_BYTES_MAX = 1_000_000;

const VERSION_DIGITS = 14;
/** Ranges of keys below a prefix: another store's prefix must not lead into one. */
const RANGES: ReadonlySet<string> = new Set(["log", "part", "row", "node"]);
// Pieces of a row, and parts of a commit, sort by their number.
const PIECE_DIGITS = 4;

/** A key range: from `key` to before `end`. */
export interface KeyRange {
  readonly key: Buffer;
  readonly end: Buffer;
}

/**
 * The keys of one store, all below `<prefix>/`:
 *
 * - `store`: JSON of the store's id and the layout
 * - `head`: version, id of the store, token of the commit that made it
 * - `log/VERSION`: a commit that is not folded: token, number of parts, changes unless in parts
 * - `part/VERSION/TOKEN/N`: a part of the changes of a large commit, put before it
 * - `fold`: the version up to which the log is folded into rows, and the token of a fold under way
 * - `row/KEY N`: a piece of a row as of some version since `fold`
 * - `node/ID`: the clock report of a live node, under the lease of that node
 */
export class Layout {
  readonly prefix: string;
  readonly store: Buffer;
  readonly head: Buffer;
  readonly fold: Buffer;
  readonly rows: KeyRange;
  readonly nodes: KeyRange;
  readonly #logPrefix: string;
  readonly #rowPrefix: string;
  readonly #nodePrefix: string;

  /** Every key of the store; other keys below its prefix belong to stores with longer prefixes. */
  readonly all: readonly (Buffer | KeyRange)[];

  /** @throws JobError `invalid_config` for a prefix that leads into the keys of another store */
  constructor(prefix: string) {
    const taken = prefix.split("/").slice(1).find((part) => RANGES.has(part));
    if (taken !== undefined) {
      throw new JobError(
        "invalid_config",
        `Cannot use the prefix "${prefix}": a store keeps its own keys below "${taken}"`,
        { path: "store.prefix", hint: 'Choose another store.prefix, such as "team/jobctl"' },
      );
    }
    this.prefix = prefix;
    this.store = this.#key("store");
    this.head = this.#key("head");
    this.fold = this.#key("fold");
    this.#logPrefix = `${prefix}/log/`;
    this.#rowPrefix = `${prefix}/row/`;
    this.#nodePrefix = `${prefix}/node/`;
    this.rows = rangeOf(this.#rowPrefix);
    this.nodes = rangeOf(this.#nodePrefix);
    const ranges = [...RANGES].map((name) => rangeOf(`${prefix}/${name}/`));
    this.all = [this.store, this.head, this.fold, ...ranges];
  }

  logKey(version: number): Buffer {
    return this.#key(`log/${digitsOf(version)}`);
  }

  /** Log entries above a version. */
  logAfter(version: number): KeyRange {
    return { key: this.logKey(version + 1), end: rangeOf(this.#logPrefix).end };
  }

  /** Log entries up to a version. */
  logUpTo(version: number): KeyRange {
    return { key: Buffer.from(this.#logPrefix), end: this.logKey(version + 1) };
  }

  versionOf(key: Uint8Array): number {
    return Number.parseInt(textOf(key).slice(this.#logPrefix.length), 16);
  }

  partKey(version: number, token: string, number: number): Buffer {
    return this.#key(`part/${digitsOf(version)}/${token}/${pieceDigits(number)}`);
  }

  /** Parts of commits up to a version, made or not. */
  partsUpTo(version: number): KeyRange {
    return {
      key: this.#key("part/"),
      end: this.#key(`part/${digitsOf(version + 1)}/`),
    };
  }

  pieceKey(rowKey: string, number: number): Buffer {
    return Buffer.from(`${this.#rowPrefix}${rowKey} ${pieceDigits(number)}`);
  }

  piecesOf(rowKey: string): KeyRange {
    return rangeOf(`${this.#rowPrefix}${rowKey} `);
  }

  /** The row's key and the piece's number. */
  pieceOf(key: Uint8Array): { readonly rowKey: string; readonly number: number } {
    const text = textOf(key).slice(this.#rowPrefix.length);
    const end = text.length - PIECE_DIGITS;
    return { rowKey: text.slice(0, end - 1), number: Number.parseInt(text.slice(end), 16) };
  }

  nodeKey(id: string): Buffer {
    return this.#key(`node/${encodeURIComponent(id)}`);
  }

  nodeOf(key: Uint8Array): string {
    return decodeURIComponent(textOf(key).slice(this.#nodePrefix.length));
  }

  #key(name: string): Buffer {
    return Buffer.from(`${this.prefix}/${name}`);
  }
}

function digitsOf(version: number): string {
  return version.toString(16).padStart(VERSION_DIGITS, "0");
}

function pieceDigits(number: number): string {
  return number.toString(16).padStart(PIECE_DIGITS, "0");
}

/** All keys that begin with a prefix, whose last character must have a successor. */
function rangeOf(prefix: string): KeyRange {
  const key = Buffer.from(prefix);
  const end = Buffer.from(key);
  end[end.length - 1]! += 1;
  return { key, end };
}

/** Bytes as text. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
