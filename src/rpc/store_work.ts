import type { MessageInitShape } from "@bufbuild/protobuf";
import { toJobError } from "../core/errors.ts";
import type { ManagerApi } from "../manager/api.ts";
import type { StoreStep, StoreWork } from "../moving/step.ts";
import type { Clock } from "../platform/clock.ts";
import { decodeRequest, encodeAnswer } from "./adapter.ts";
import { toStatus } from "./calls.ts";
import {
  type WorkOnStoreRequest,
  WorkOnStoreRequestSchema,
  WorkOnStoreResponseSchema,
} from "./gen/job_pb.ts";
import { refuse } from "./requests.ts";
import { type Stream, writeMessage } from "./write_message.ts";

/** A client hears at least so often of a work that takes its time. */
const HEARTBEAT_MS = 10_000;

/** The streams of WorkOnStore: a client that goes away ends its work. */
export class StoreWorkService {
  readonly #manager: ManagerApi;
  readonly #clock: Clock;
  readonly #streams = new Map<Stream, AbortController>();

  constructor(manager: ManagerApi, clock: Clock) {
    this.#manager = manager;
    this.#clock = clock;
  }

  /** Answer one call. */
  readonly handle = (stream: Stream): void => {
    const abort = new AbortController();
    for (const event of ["cancelled", "close", "error"]) stream.on(event, () => abort.abort());
    this.#streams.set(stream, abort);
    void this.#run(stream, abort).then(() => stream.end(), (thrown: unknown) => {
      const error = toJobError(thrown, "Cannot look after the store");
      if (!stream.cancelled) stream.emit("error", toStatus(error));
    }).finally(() => this.#streams.delete(stream));
  };

  /** End every work. */
  stop(): void {
    for (const abort of this.#streams.values()) abort.abort();
  }

  async #run(stream: Stream, { signal }: AbortController): Promise<void> {
    const work = readWork(decodeRequest(WorkOnStoreRequestSchema, stream.request));
    const write = (step: StoreStep) => {
      const bytes = encodeAnswer(WorkOnStoreResponseSchema, workStepToWire(step));
      return writeMessage(stream, bytes, { clock: this.#clock, signal });
    };
    const beat = () =>
      this.#clock.timer(HEARTBEAT_MS, () => {
        timer = beat();
        void write({ type: "progress", text: "…" }).catch(() => {});
      }, { unref: true });
    let timer = beat();
    try {
      for await (const step of this.#manager.workOnStore(work, { signal })) await write(step);
    } finally {
      timer.cancel();
    }
  }
}

/** The work that a request asks for. @throws JobError `invalid_argument` */
export function readWork({ work, to, prefix, compact }: WorkOnStoreRequest): StoreWork {
  switch (work) {
    case "info":
    case "verify":
    case "backup":
    case "undo":
      return { type: work };
    case "gc":
      return { type: "gc", compacts: compact };
    case "migrate":
      if (!to) throw refuse("to", "found none, wanted the URL of a store");
      return { type: "migrate", to, prefix: prefix ?? null };
  }
  throw refuse("work", `found "${work}", wanted info, verify, gc, backup, migrate or undo`);
}

/** A step on the wire. */
export function workStepToWire(
  step: StoreStep,
): MessageInitShape<typeof WorkOnStoreResponseSchema> {
  switch (step.type) {
    case "progress":
      return { step: { case: "progress", value: step.text } };
    case "chunk":
      return { step: { case: "chunk", value: step.bytes } };
    case "report":
      return { step: { case: "reportJson", value: JSON.stringify(step.report) } };
  }
}
