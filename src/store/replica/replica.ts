import { JobError } from "../../core/errors.ts";
import type { Instant } from "../../platform/clock.ts";
import type { LedgerState, Moment } from "../ledger/state.ts";
import type { OpenRequest } from "../store.ts";
import { applyChanges } from "./apply_changes.ts";
import { checkHead, findHead, firstHead, type Head } from "./head.ts";
import type { MediumChange, MediumImage, MediumPair, ReplicaMedium } from "./medium.ts";
import type { ReplicaTables } from "./replica_tables.ts";

/** A replica with the version that it is of, and the commits of others that it has still to take in. */
export class Replica {
  readonly state: LedgerState;
  readonly tables: ReplicaTables;
  readonly #medium: ReplicaMedium;
  readonly #momentOf: () => Moment;
  #version = 0;
  #head: Head | null = null;
  #remote: MediumChange[] = [];

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

  /** A commit of anybody: "old" when it is known, "gap" when those before it are not. */
  hear(change: MediumChange): "next" | "old" | "gap" {
    const last = this.#remote.at(-1)?.version ?? this.#version;
    if (change.version <= last) return "old";
    return change.version === last + 1 ? "next" : "gap";
  }

  /** Keep a commit of another until it is taken in. */
  add(change: MediumChange): void {
    this.#remote.push(change);
  }

  /**
   * Take in what others committed; whether there was anything.
   *
   * @throws JobError `conflict` when the store got a newer format
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
      // A node of a newer version may have taken the store to another format.
      if (head) checkHead(head, this.#medium.location);
      applyChanges(target, change);
      this.#version = change.version;
      if (head) this.#keepHead(head);
    }
    return true;
  }

  /** What the group wrote is committed as a version. */
  landed(version: number, head: Head): void {
    this.#version = version;
    this.#remote = this.#remote.filter((one) => one.version > version);
    this.state.commit();
    this.#keepHead(head);
  }

  /** Nothing of the group happened. */
  takeBack(): void {
    this.state.rollback({ keepsLeases: false });
    this.tables.rollback();
    this.state.load();
  }

  /**
   * Read everything there is.
   *
   * @param request of the opening; null: what is there must be the same store, and no earlier state of it
   * @param isOver whether nobody wants it any more: nothing is changed then
   * @throws JobError `conflict` when it is not, or is of a newer version
   */
  async load(request: OpenRequest | null, isOver: () => boolean = () => false): Promise<void> {
    const { location } = this.#medium;
    const image = await this.#medium.load();
    if (isOver()) return;
    const known = this.#head;
    if (request === null && image.version < this.#version) throw otherStore(location);
    const head = await this.#fill(image, isOver);
    if (isOver()) return;
    const isEmpty = image.version === 0 && head === null;
    const found = isEmpty && request ? firstHead(request) : checkHead(head, location);
    if (request === null && found.storeId !== known?.storeId) throw otherStore(location);
    this.#version = image.version;
    this.#remote = [];
    this.#keepHead(found);
    this.state.load();
  }

  async #fill({ pairs }: MediumImage, isOver: () => boolean): Promise<Head | null> {
    const { state, tables } = this;
    state.rollback({ keepsLeases: false });
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
    tables.lastPlace = place;
    state.rev = rev;
    state.at = Math.max(state.at, at);
    state.seq = seq;
    state.epoch = epoch;
  }
}

/** The moment of an operation that was asked for at `at`. */
export function momentAt(state: LedgerState, at: Instant): Moment {
  const wallMs = Math.floor(at.wallMs);
  return { wallMs, monotonicMs: at.monotonicMs, at: Math.max(state.at, wallMs) };
}

function otherStore(location: string): JobError {
  return new JobError(
    "conflict",
    `Cannot go on with ${location}: it was emptied, restored to an earlier state, or is another store`,
    { hint: "Look at what happened to it, then restart this daemon to accept what is there now" },
  );
}
