import process from "node:process";
import { lazyLibc, type NativeLibrary } from "../system/libc.ts";

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
const F_SETFL = 4;
const F_SETOWN = 8;
const O_NONBLOCK = 0o4000;
const O_ASYNC = 0o20000;
/** Most pipes that one look returns; further ones follow with the next look. */
const READY_MAX = 64;
/** `struct epoll_event` in 32-bit words: events, then a number of ours. Packed on x64 only. */
const EVENT_WORDS = process.arch === "x64" ? 3 : 4;
const NUMBER_AT = process.arch === "x64" ? 1 : 2;

const FUNCTIONS = ["epoll_create1", "epoll_ctl", "epoll_wait", "fcntl"] as const;

const openLibc = lazyLibc(...FUNCTIONS);

/** A pipe with a callback for data and its end. */
interface WatchedPipe {
  readable(): void;
}

/**
 * Watches pipes for data. The kernel sends SIGIO when a pipe has data or ends, and then epoll finds
 * it: a quiet pipe costs 100 bytes, where a stream of the runtime takes several kilobytes.
 */
export class PipeWatch {
  readonly #symbols: NativeLibrary<typeof FUNCTIONS[number]>["symbols"];
  readonly #epoll: number;
  readonly #watched = new Map<number, WatchedPipe>();
  readonly #event = new Uint32Array(EVENT_WORDS);
  readonly #ready = new Uint32Array(EVENT_WORDS * READY_MAX);

  private constructor({ symbols }: NativeLibrary<typeof FUNCTIONS[number]>, epoll: number) {
    this.#symbols = symbols;
    this.#epoll = epoll;
    process.on("SIGIO", () => this.#look());
  }

  /** Null where the C library cannot be called. */
  static open(): PipeWatch | null {
    const libc = openLibc();
    const epoll = libc?.symbols.epoll_create1(EPOLL_CLOEXEC) ?? -1;
    return libc === null || epoll < 0 ? null : new PipeWatch(libc, epoll);
  }

  /**
   * Notify a pipe whenever it contains data or has ended. Its current content may not count: read
   * it after this call.
   *
   * @returns false if that is impossible
   */
  add(reader: number, pipe: WatchedPipe): boolean {
    this.#event[0] = EPOLLIN;
    this.#event[NUMBER_AT] = reader;
    const { epoll_ctl, fcntl } = this.#symbols;
    if (epoll_ctl(this.#epoll, EPOLL_CTL_ADD, reader, this.#event) !== 0) return false;
    this.#watched.set(reader, pipe);
    fcntl(reader, F_SETOWN, process.pid);
    fcntl(reader, F_SETFL, O_NONBLOCK | O_ASYNC);
    return true;
  }

  /** Call before the pipe is closed. */
  remove(reader: number): void {
    if (!this.#watched.delete(reader)) return;
    const { epoll_ctl, fcntl } = this.#symbols;
    fcntl(reader, F_SETFL, O_NONBLOCK);
    epoll_ctl(this.#epoll, EPOLL_CTL_DEL, reader, this.#event);
  }

  #look(): void {
    for (;;) {
      const count = this.#symbols.epoll_wait(this.#epoll, this.#ready, READY_MAX, 0);
      for (let index = 0; index < count; index++) {
        this.#watched.get(this.#ready[index * EVENT_WORDS + NUMBER_AT]!)?.readable();
      }
      if (count < READY_MAX) return;
    }
  }
}
