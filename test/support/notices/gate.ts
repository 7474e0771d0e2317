import type { Clock } from "../../../src/platform/clock.ts";
import type { Store } from "../../../src/store/store.ts";

/** What passes between a node and the rest of its world. It can be stopped, or end for ever. */
export class Gate {
  #isHeld: (name: string, args: readonly unknown[]) => Promise<void> | null = () => null;
  #isFrozen = false;
  #isDead = false;
  readonly #held: (() => void)[] = [];
  /** Calls of the store, counted from 1. */
  calls = 0;
  /** Called before each call and after its commit; the node may be ended there. */
  onCall: ((call: number, when: "before" | "after", method: string) => void) | null = null;

  /** Called at its end. */
  onDeath: (() => void) | null = null;

  get isDead(): boolean {
    return this.#isDead;
  }

  /** As kill -9: nothing passes any more. */
  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#held.length = 0;
    this.onDeath?.();
  }

  /** As SIGSTOP, until {@link thaw}. */
  freeze(): void {
    this.#isFrozen = true;
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const message of this.#held.splice(0)) message();
  }

  pass(message: () => void): void {
    if (this.#isDead) return;
    if (this.#isFrozen) this.#held.push(message);
    else message();
  }

  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      timer: (delayMs, callback) => {
        let isCanceled = false;
        const fire = () => {
          if (!isCanceled) callback();
        };
        const timer = clock.timer(delayMs, () => this.pass(fire));
        return {
          cancel: () => {
            isCanceled = true;
            timer.cancel();
          },
        };
      },
      defer: (callback) => clock.defer(() => this.pass(callback)),
    };
  }

  store(store: Store): Store {
    return new Proxy(store, {
      get: (target, key) => {
        const value = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        const method = value.bind(target);
        if (key === "quietMs") return method;
        if (key === "subscribe") {
          return (listener: (hint: unknown) => void) =>
            method((hint: unknown) => this.pass(() => listener(hint)));
        }
        return (...args: unknown[]) => this.#reach(String(key), args, () => method(...args));
      },
    });
  }

  /** Keep back the next call of a method whose request mentions something. @returns lets it pass */
  holdBefore(method: string, mention: string): () => void {
    const held: (() => void)[] = [];
    this.#isHeld = (name, args) => {
      if (name !== method || !JSON.stringify(args).includes(mention)) return null;
      this.#isHeld = () => null;
      return new Promise((resolve) => held.push(resolve));
    };
    return () => held.forEach((release) => release());
  }

  #reach(name: string, args: readonly unknown[], method: () => Promise<unknown>) {
    const held = this.#isHeld(name, args);
    const call = () => this.#call(name, method);
    return held ? held.then(call) : call();
  }

  #call(name: string, method: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = ++this.calls;
      this.onCall?.(call, "before", name);
      if (this.#isDead) return;
      const answer = (deliver: () => void) => {
        this.onCall?.(call, "after", name);
        this.pass(deliver);
      };
      method().then(
        (value) => answer(() => resolve(value)),
        (error) => answer(() => reject(error)),
      );
    });
  }
}
