import { closedError } from "../ledger/checks.ts";
import { LedgerReader } from "../ledger/ledger_reader.ts";
import { LedgerState } from "../ledger/state.ts";
import { SqliteTables } from "./sqlite_tables.ts";

/**
 * Reads the file of a {@link SqliteStore} over a connection of its own, in another thread of the same process. Sees whatever
 * was acknowledged before it is asked.
 */
export class SqliteReader extends LedgerReader {
  readonly #tables: SqliteTables;
  readonly #state: LedgerState;
  readonly #defer: (callback: () => void) => void;
  #storeId = "";
  #isOpen = false;
  /** Revision that the counts of the state are of. */
  #rev = -1;

  constructor(
    options: {
      readonly path: string;
      /** Runs a callback after everything that this turn of the event loop brought. */
      readonly defer: (callback: () => void) => void;
    },
  ) {
    super();
    this.#tables = new SqliteTables(options.path);
    this.#state = new LedgerState(this.#tables, { hasOwnClock: false });
    this.#defer = options.defer;
  }

  /** Open the file, which its owner has opened. @throws JobError `unavailable` */
  open(): void {
    this.#storeId = this.#tables.openToRead();
    this.#isOpen = true;
  }

  /** Close the file: its owner closes it last. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#tables.close();
  }

  /** Release memory that only speeds up reading, while nothing is read. */
  rest(): void {
    if (this.#isOpen) this.#tables.rest();
  }

  protected reader(action: string): LedgerState {
    if (!this.#isOpen) throw closedError(action);
    this.#refresh();
    return this.#state;
  }

  protected get storeId(): string {
    return this.#storeId;
  }

  protected async turn(): Promise<void> {
    await new Promise<void>((resolve) => this.#defer(resolve));
    if (!this.#isOpen) throw closedError("read");
    this.#refresh();
  }

  /** Which kinds there are, and how many rows: what a scan chooses its way by. */
  #refresh(): void {
    const { rev, seq } = this.#tables.readHead();
    if (rev === this.#rev) return;
    this.#rev = rev;
    this.#state.seq = seq;
    this.#state.counts = this.#tables.readCounts();
  }
}
