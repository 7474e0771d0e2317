import { fromBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type * as grpc from "@grpc/grpc-js";
import { GRPC_PORT_DEFAULT } from "../../core/address.ts";
import { isJobError, JobError } from "../../core/errors.ts";
import { systemClock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { methodPath, toBuffer } from "../../platform/network/grpc_bytes.ts";
import { emptyResponse, type FailedCall, toClientError, unreachable } from "./call_error.ts";
import { type Channel, openChannel } from "./channel.ts";
import {
  CALL_TIMEOUT_MS,
  type CallOptions,
  checkCallOptions,
  checkConnectOptions,
  type ConnectOptions,
} from "./connect_options.ts";
import { encodeRequest } from "./encode_request.ts";
import { TRAILERS } from "../errors.ts";
import { withConnectionInfo } from "./connection_info.ts";
import { JobService } from "../gen/job_pb.ts";
import type { StreamName, UnaryName } from "../backend.ts";

export type { CallOptions, ConnectOptions } from "./connect_options.ts";

type Methods = typeof JobService["method"];

/** One method for each unary method of JobService. All reject with JobError. */
export type JobMethods = {
  readonly [Name in UnaryName]: (
    request?: MessageInitShape<Methods[Name]["input"]>,
    options?: CallOptions,
  ) => Promise<MessageShape<Methods[Name]["output"]>>;
};

/** The methods that return a stream. It ends with the call, or throws a JobError. */
export type StreamMethods = {
  readonly [Name in StreamName]: (
    request: MessageInitShape<Methods[Name]["input"]>,
    options?: Pick<CallOptions, "signal">,
  ) => AsyncIterable<MessageShape<Methods[Name]["output"]>>;
};

/** A client of one daemon. The connection is made at the first call. */
export interface JobClient extends JobMethods, StreamMethods {
  close(): void;
}

/**
 * Make a client; nothing is read or connected before its first call.
 *
 * @throws JobError `invalid_argument` for an option that is unknown or of the wrong type
 */
export function connect(options: ConnectOptions = {}): JobClient {
  checkConnectOptions(options);
  const target = {
    ...options,
    host: options.host ?? "localhost",
    port: options.port ?? GRPC_PORT_DEFAULT,
  };
  let opening: Promise<Channel> | null = null;
  const open = () => opening ??= openChannel(target);
  const methods: Record<string, unknown> = {};
  for (const method of JobService.methods) {
    const callUnary = async (request: object = {}, call: CallOptions = {}) => {
      checkCallOptions(call, method.name);
      const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? CALL_TIMEOUT_MS;
      const asked = encodeRequest(method.input, request, method.name);
      const bytes = await callMethod(await open(), method, asked, {
        signal: call.signal,
        timeoutMs,
      });
      return fromBinary(method.output, bytes);
    };
    methods[method.localName] = method.methodKind === "unary"
      ? callUnary
      : (request?: object, call?: CallOptions) => stream(open, method, request, call);
  }
  const close = () => void opening?.then((channel) => channel.close(), () => {});
  const client = { ...methods as unknown as JobMethods & StreamMethods, close };
  return withConnectionInfo(client, () => opening);
}

/** Call once, and again with a newer token if ours was refused, which has no effect. */
async function callMethod(
  channel: Channel,
  method: DescMethod,
  bytes: Uint8Array,
  options: CallOptions & { readonly timeoutMs: number },
): Promise<Uint8Array> {
  const metadata = channel.metadata();
  try {
    return await callOnce(channel, method, bytes, { ...options, metadata });
  } catch (error) {
    const isRefused = isJobError(error, "unauthenticated");
    if (!isRefused || !channel.renewToken(metadata)) throw error;
    return callOnce(channel, method, bytes, { ...options, metadata: channel.metadata() });
  }
}

function callOnce(
  channel: Channel,
  method: DescMethod,
  bytes: Uint8Array,
  options: CallOptions & { readonly timeoutMs: number; readonly metadata: grpc.Metadata },
): Promise<Uint8Array> {
  const { timeoutMs, signal, metadata } = options;
  return new Promise((resolve, reject) => {
    const action = `Cannot call ${method.name} at ${channel.address}`;
    if (signal?.aborted) return reject(new JobError("canceled", `${action}: canceled`));
    const call = channel.client.makeUnaryRequest(
      methodPath(method),
      toBuffer,
      (message: Buffer) => message as Uint8Array,
      bytes,
      metadata,
      { deadline: systemClock.now().wallMs + timeoutMs },
      (error, response) => {
        signal?.removeEventListener("abort", cancel);
        if (response && !error) resolve(response);
        else reject(errorOf(error, channel, { action, timeoutMs }));
      },
    );
    const cancel = () => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
  });
}

/** A message comes at least every 20 s: without one for this long, the daemon is gone. */
const SILENCE_MS = 45_000;

/** Retries like {@link callMethod}: a refused stream has delivered no message. */
async function* stream<Output extends DescMessage>(
  open: () => Promise<Channel>,
  method: DescMethod & { readonly output: Output },
  request: object = {},
  call: Pick<CallOptions, "signal"> = {},
): AsyncGenerator<MessageShape<Output>> {
  checkCallOptions(call, method.name);
  const bytes = encodeRequest(method.input, request, method.name);
  const { signal } = call;
  const channel = await open();
  const metadata = channel.metadata();
  try {
    return yield* streamOnce(channel, method, bytes, { signal, metadata });
  } catch (error) {
    const isRefused = isJobError(error, "unauthenticated");
    if (!isRefused || !channel.renewToken(metadata)) throw error;
  }
  yield* streamOnce(channel, method, bytes, { signal, metadata: channel.metadata() });
}

async function* streamOnce<Output extends DescMessage>(
  channel: Channel,
  method: DescMethod & { readonly output: Output },
  request: Uint8Array,
  options: { readonly signal: AbortSignal | undefined; readonly metadata: grpc.Metadata },
): AsyncGenerator<MessageShape<Output>> {
  const { signal, metadata } = options;
  const action = `Cannot call ${method.name} at ${channel.address}`;
  if (signal?.aborted) return;
  const call = channel.client.makeServerStreamRequest(
    methodPath(method),
    toBuffer,
    (message: Buffer) => message as Uint8Array,
    request,
    metadata,
  );
  let isSilent = false;
  const cancel = () => call.cancel();
  const silence = new LazyTimer(systemClock, () => {
    isSilent = true;
    cancel();
  }, { unref: false });
  silence.setIn(SILENCE_MS);
  signal?.addEventListener("abort", cancel);
  try {
    for await (const bytes of call) {
      silence.set(null);
      yield fromBinary(method.output, bytes as Uint8Array);
      silence.setIn(SILENCE_MS);
    }
  } catch (error) {
    if (signal?.aborted) return;
    if (isSilent) throw unreachable(channel, "no message for 45 s", error);
    throw errorOf(error as grpc.ServiceError, channel, { action, timeoutMs: SILENCE_MS });
  } finally {
    silence.cancel();
    signal?.removeEventListener("abort", cancel);
    call.cancel();
  }
}

/** @param error null for a response without a message */
function errorOf(error: grpc.ServiceError | null, channel: Channel, call: FailedCall): JobError {
  if (!error) return emptyResponse(call);
  const trailers: Record<string, string> = {};
  for (const name of Object.values(TRAILERS)) {
    const value = error.metadata?.get(name)[0];
    if (value !== undefined) trailers[name] = value.toString();
  }
  const { code, details } = error;
  return toClientError({ code, details, trailers, cause: error }, channel, call);
}
