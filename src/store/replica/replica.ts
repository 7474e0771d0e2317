import { isJobError, JobError } from "../../core/errors.ts";
import type { LedgerState, Moment } from "../ledger/state.ts";
import type { OpenRequest } from "../store.ts";
import { applyChanges } from "./apply_changes.ts";
import { checkHead, findHead, firstHead, type Head, REV_STEP, withFormat } from "./head.ts";
import type { MediumChange, MediumImage, MediumPair, ReplicaMedium } from "./medium.ts";
import type { ReplicaTables } from "./tables.ts";

/** Most moments to try when each is compacted before it is read. */
const READS_MAX = 5;

/** A replica with its version, and with unapplied commits of others. */
export class Replica {
  readonly state: LedgerState;
  readonly tables: ReplicaTables;
  readonly #medium: ReplicaMedium;
  readonly #momentOf: () => Moment;
  #version = 0;
  #head: Head | null = null;
  #remote: MediumChange[] = [];
  /** Revisions of operations that wrote nothing, since this owner's last commit. */
  #unwritten = 0;

  /** @param momentOf the moment of this node */
  constructor(
    state: LedgerState,
    options: {
      readonly tables: ReplicaTables;
      readonly medium: ReplicaMedium;
      readonly momentOf: () => Moment;
    },
  ) {
    this.state = state;
    this.tables = options.tables;
    this.#medium = options.medium;
    this.#momentOf = options.momentOf;
  }

  get version(): number {
    return this.#version;
  }

  /** The head of that version. */
  get head(): Head {
    return this.#head!;
  }

  get info() {
    const { type, location, isDurable } = this.#medium;
    const { storeId, epoch, format } = this.head;
    return { type, location, storeId, epoch, format, isDurable };
  }

  /** Place a commit: "old" if known, "gap" if earlier ones are missing. */
  hear(change: MediumChange): "next" | "old" | "gap" {
    const last = this.#remote.at(-1)?.version ?? this.#version;
    if (change.version <= last) return "old";
    return change.version === last + 1 ? "next" : "gap";
  }

  /** Keep a commit of another owner until it is applied. */
  add(change: MediumChange): void {
    this.#remote.push(change);
  }

  /**
   * Apply commits of other owners. @returns true if there were any
   *
   * @throws JobError `conflict` if the store has a newer format
   */
  takeIn(): boolean {
    const changes = this.#remote;
    if (changes.length === 0) return false;
    this.#remote = [];
    const target = {
      state: this.state,
      tables: this.tables,
      moment: this.#momentOf(),
      isNew: true,
    };
    for (const change of changes) {
      if (change.version <= this.#version) continue;
      const head = findHead(change);
      // A newer version may have changed the store's format.
      if (head) checkHead(head, this.#medium.location);
      applyChanges(target, change);
      this.#version = change.version;
      if (head) this.#keepHead(head);
    }
    return true;
  }

  /** The revision of an operation that wrote nothing: after the version's revisions. */
  unwrittenRev(): number {
    this.#unwritten += 1;
    const place = Math.min(this.#unwritten, REV_STEP / 2 - 1);
    return this.#version * REV_STEP + REV_STEP / 2 + place;
  }

  /** The group is committed as a version. */
  landed(version: number, head: Head): void {
    this.#unwritten = 0;
    this.#version = version;
    this.#remote = this.#remote.filter((one) => one.version > version);
    this.state.commit();
    this.#keepHead(head);
  }

  /** Roll the group back. */
  takeBack(): void {
    this.state.rollback();
    this.tables.rollback();
    this.state.load();
  }

  /**
   * Read everything.
   *
   * @param request of the opening; null: the same store is expected, at no earlier state
   * @param isOver true once unwanted: nothing is changed then
   * @throws JobError `conflict` if it is another store or an earlier state, or has a newer format
   */
  async load(request: OpenRequest | null, isOver: () => boolean = () => false): Promise<void> {
    const { location } = this.#medium;
    const known = this.#head;
    const read = await this.#read(request === null ? this.#version : 0, isOver);
    if (read === null) return;
    const { image, head } = read;
    const isEmpty = image.version === 0 && head === null;
    const checked = isEmpty && request ? firstHead(request) : checkHead(head, location);
    // Looking at a store must not upgrade it: older daemons may use it.
    const found = request !== null && !request.isMaintenance ? withFormat(checked) : checked;
    if (request === null && found.storeId !== known?.storeId) throw otherStore(location);
    this.#version = image.version;
    this.#remote = [];
    this.#keepHead(found);
    this.state.load();
  }

  /** Read all rows as of one moment; null if no longer wanted. @param from lowest version */
  async #read(from: number, isOver: () => boolean) {
    for (let tries = 1;; tries++) {
      const image = await this.#medium.load();
      if (isOver()) return null;
      if (image.version < from) throw otherStore(this.#medium.location);
      try {
        const head = await this.#fill(image, isOver);
        return isOver() ? null : { image, head };
      } catch (thrown) {
        // The moment may be gone, for example after a compaction: then try a later one.
        if (isOver()) return null;
        if (tries === READS_MAX || !isJobError(thrown, "unavailable")) throw thrown;
      }
    }
  }

  async #fill({ pairs }: MediumImage, isOver: () => boolean): Promise<Head | null> {
    const { state, tables } = this;
    state.rollback();
    tables.rollback();
    tables.clear();
    state.leases.clear();
    state.nodes.clear();
    state.load();
    let head: Head | null = null;
    // Everything else belongs to an instance.
    const others: MediumPair[] = [];
    const target = { state, tables, moment: this.#momentOf(), isNew: false };
    for await (const part of pairs) {
      if (isOver()) return null;
      head = findHead({ puts: part }) ?? head;
      const instances: MediumPair[] = [];
      for (const pair of part) (pair[0].startsWith("i/") ? instances : others).push(pair);
      applyChanges(target, { puts: instances, deletes: [] });
    }
    applyChanges(target, { puts: others, deletes: [] });
    return head;
  }

  #keepHead(head: Head): void {
    this.#head = head;
    const { state, tables } = this;
    const { rev, at, seq, place, epoch } = head;
    tables.commit({ rev, at, seq });
    tables.logs.lastPlace = place;
    state.rev = rev;
    state.at = Math.max(state.at, at);
    state.seq = seq;
    state.epoch = epoch;
  }
}

function otherStore(location: string): JobError {
  return new JobError(
    "conflict",
    `Cannot continue with ${location}: it was emptied, restored to an earlier state, or is another store`,
    {
      hint: "Find out what happened to it, then restart this daemon to accept its present content",
    },
  );
}
