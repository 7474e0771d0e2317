import { closedError } from "../closed_error.ts";
import { type LedgerRead, LedgerReader } from "../ledger/reader.ts";
import { countInstances } from "../ledger/reading/reads.ts";
import { LedgerState } from "../ledger/state.ts";
import type { StoreStats } from "../store.ts";
import { SqliteTables } from "./tables.ts";

/**
 * Reads the file of a {@link SqliteStore} over its own connection, in another thread of the same
 * process. Every read sees all commits acknowledged before it.
 */
export class SqliteReader extends LedgerReader {
  readonly #tables: SqliteTables;
  readonly #state: LedgerState;
  readonly #defer: (callback: () => void) => void;
  #storeId = "";
  #isOpen = false;
  /** Reads that are at work in this turn of the event loop. */
  #slices = 0;
  /** Revision of the counts in the state. */
  #rev = -1;

  constructor(
    options: {
      readonly path: string;
      /** Runs a callback after everything in this turn of the event loop. */
      readonly defer: (callback: () => void) => void;
    },
  ) {
    super();
    this.#tables = new SqliteTables(options.path);
    this.#state = new LedgerState(this.#tables, { hasOwnClock: false });
    this.#defer = options.defer;
  }

  /** Open the file, which its owner already has open. @throws JobError `unavailable` */
  open(): void {
    this.#storeId = this.#tables.openToRead();
    this.#isOpen = true;
  }

  /** Close the file; its owner closes it last. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#tables.close();
  }

  /** Release memory that only speeds up reading, while nothing is read. */
  rest(): void {
    if (this.#isOpen) this.#tables.rest();
  }

  override stats(): Promise<StoreStats> {
    return this.read("count instances", (state) => {
      return { ...countInstances(state), schedules: this.#tables.schedules.count() };
    });
  }

  protected async read<T>(
    action: string,
    read: LedgerRead<T>,
  ): Promise<T> {
    if (!this.#isOpen) throw closedError(action);
    try {
      this.#beginSlice();
      return await read(this.#state, () => this.#turn());
    } finally {
      this.#endSlice();
    }
  }

  protected get storeId(): string {
    return this.#storeId;
  }

  async #turn(): Promise<void> {
    this.#endSlice();
    await new Promise<void>((resolve) => this.#defer(resolve));
    this.#beginSlice();
    if (!this.#isOpen) throw closedError("read");
  }

  // Between two statements an instance may change its state: a search of its next state, and then
  // of its old one, would miss it.
  #beginSlice(): void {
    this.#slices += 1;
    if (!this.#isOpen) return;
    if (this.#slices === 1) this.#tables.beginRead();
    this.#refresh();
  }

  #endSlice(): void {
    this.#slices -= 1;
    if (this.#slices === 0 && this.#isOpen) this.#tables.endRead();
  }

  /** The kinds and row counts, for planning a scan. */
  #refresh(): void {
    const { rev, seq } = this.#tables.readHead();
    if (rev === this.#rev) return;
    this.#rev = rev;
    this.#state.seq = seq;
    this.#state.counts = this.#tables.kinds.read();
  }
}
