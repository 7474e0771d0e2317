import { JobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import type { FollowStep, ManagerApi } from "../../manager/api.ts";
import { systemClock } from "../../platform/clock.ts";
import { decodeRequest } from "../messages/decode_request.ts";
import { encodeMessage } from "../model/message_codec.ts";
import { instanceToWire, logToWire } from "../messages/convert.ts";
import type { StreamSignal } from "../backend.ts";
import type { FollowRequest, FollowResponse } from "../gen/job_pb.ts";
import { readLogQuery } from "../messages/requests.ts";

/**
 * The messages of a Follow call.
 *
 * @throws JobError `invalid_argument` for an invalid request; like `ManagerApi.follow`
 */
export async function* followSteps(
  manager: Pick<ManagerApi, "follow">,
  bytes: Uint8Array,
  { signal, isJson = false }: Pick<StreamSignal, "signal" | "isJson">,
): AsyncGenerator<Uint8Array> {
  const request = decodeRequest<FollowRequest>("job.v1.FollowRequest", bytes);
  const { after, before, ...query } = readLogQuery(request);
  if (after !== undefined || before !== undefined) {
    throw new JobError("invalid_argument", "Cannot follow logs within a time range", {
      path: "query",
      hint: "Start at the oldest line, at a cursor, or from now",
    });
  }
  const steps = manager.follow(query, {
    cursor: request.cursor ?? null,
    fromNow: request.fromNow === true,
    logsOnly: request.logsOnly === true,
    signal,
  });
  for await (const step of steps) {
    await nextTurn();
    yield encodeStep(step, isJson);
  }
}

/** Messages that wait to be encoded, first come first. */
const WAITING: (() => void)[] = [];

/**
 * Wait for a turn: between two events of other kinds, only one follower's message is encoded and
 * written. Hundreds of busy followers would otherwise block others for seconds.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    WAITING.push(resolve);
    if (WAITING.length === 1) systemClock.defer(takeTurn);
  });
}

function takeTurn(): void {
  WAITING.shift()!();
  if (WAITING.length > 0) systemClock.defer(takeTurn);
}

type Encoded = WeakMap<Instance, { readonly cursor: string; readonly bytes: Uint8Array }>;

/** The last encoded step of each instance, in either form: all its followers share the bytes. */
const ENCODED_TEXTS: Encoded = new WeakMap();
const ENCODED_JSON: Encoded = new WeakMap();

function encodeStep(step: FollowStep, isJson: boolean): Uint8Array {
  const { instance, cursor, entries } = step;
  const isShared = instance !== null && entries.length === 0;
  const encoded = isJson ? ENCODED_JSON : ENCODED_TEXTS;
  const known = isShared ? encoded.get(instance) : undefined;
  if (known?.cursor === cursor) return known.bytes;
  const bytes = encodeMessage<FollowResponse>("job.v1.FollowResponse", {
    entries: entries.map(logToWire),
    cursor,
    instance: instance && instanceToWire(instance),
    changed: step.changed.map(instanceToWire),
    changesMissed: step.hasMissed,
  }, isJson ? "json" : "texts");
  if (isShared) encoded.set(instance, { cursor, bytes });
  return bytes;
}
