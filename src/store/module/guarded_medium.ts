import { type ErrorCode, JobError, messageOf, toJobError } from "../../core/errors.ts";
import type {
  MediumCommit,
  MediumImage,
  MediumListener,
  ReplicaMedium,
} from "../replica/medium.ts";

/** Codes that a medium of any author may set as `code` of its errors. */
const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "invalid_config",
  "conflict",
  "permission_denied",
  "resource_exhausted",
  "unavailable",
  "unauthenticated",
  "timeout",
]);

/** A medium of any author, with its errors and results converted for the engine. */
export class GuardedMedium implements ReplicaMedium {
  readonly type: string;
  readonly location: string;
  readonly isDurable: boolean;
  readonly changesMax: number | undefined;
  readonly charactersMax: number | undefined;
  readonly #medium: ReplicaMedium;

  constructor(medium: ReplicaMedium) {
    this.#medium = medium;
    this.type = medium.type;
    this.location = medium.location;
    this.isDurable = medium.isDurable;
    this.changesMax = medium.changesMax;
    this.charactersMax = medium.charactersMax;
  }

  get answerMs(): number {
    const answerMs: unknown = this.#medium.answerMs;
    return typeof answerMs === "number" && answerMs >= 0 ? answerMs : 0;
  }

  open(request: { readonly node: string }): Promise<void> {
    return this.#call("open", async () => await this.#medium.open?.(request));
  }

  load(): Promise<MediumImage> {
    return this.#call("load", async () => {
      const image: Partial<MediumImage> | undefined = await this.#medium.load();
      const isImage = isVersion(image?.version) &&
        typeof image?.pairs?.[Symbol.asyncIterator] === "function";
      if (!isImage) throw this.#wrong("load", "{ version: number, pairs: AsyncIterable }", image);
      return image as MediumImage;
    });
  }

  version(): Promise<number> {
    return this.#call("version", async () => {
      const version: unknown = await this.#medium.version();
      if (!isVersion(version)) throw this.#wrong("version", "a number", version);
      return version;
    });
  }

  commit(commit: MediumCommit, isWanted: () => boolean): Promise<boolean> {
    return this.#call("commit", async () => {
      const isDone: unknown = await this.#medium.commit(commit, isWanted);
      if (typeof isDone !== "boolean") throw this.#wrong("commit", "true or false", isDone);
      return isDone;
    });
  }

  watch(from: number, listener: MediumListener): () => void {
    const stop: unknown = this.#medium.watch(from, listener);
    if (typeof stop !== "function") throw this.#wrong("watch", "a function that stops it", stop);
    return stop as () => void;
  }

  close(): Promise<void> {
    return this.#call("close", async () => await this.#medium.close());
  }

  async #call<T>(method: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (thrown) {
      if (thrown instanceof JobError) throw thrown;
      const code = (thrown as { readonly code?: unknown } | null)?.code;
      const action = `Cannot ${method} ${this.location}`;
      if (typeof code !== "string" || !CODES.has(code)) throw toJobError(thrown, action);
      throw new JobError(code as ErrorCode, `${action}: ${messageOf(thrown)}`, { cause: thrown });
    }
  }

  #wrong(method: string, wanted: string, found: unknown): JobError {
    const shown = typeof found === "object" && found !== null
      ? `an object with ${Object.keys(found).join(", ") || "nothing"}`
      : String(found);
    return new JobError(
      "unavailable",
      `Cannot use ${this.location}: ${method}() returned ${shown}, expected ${wanted}`,
      { hint: "Correct the module that store.url names" },
    );
  }
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
