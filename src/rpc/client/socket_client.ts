import { GRPC_PORT_DEFAULT } from "../../core/address.ts";
import { JobError, messageOf } from "../../core/errors.ts";
import { userId } from "../../platform/system/accounts.ts";
import { JSON_VALUES, VALUES_HEADER } from "../call_headers.ts";
import type { StreamName } from "../backend.ts";
import { decodeMessage, encodeMessage } from "../model/message_codec.ts";
import { METHOD_OF } from "../model/methods.ts";
import { openSocket } from "../socket_path.ts";
import type { JobClient } from "./client.ts";
import { CALL_TIMEOUT_MS, type CallOptions, type ConnectOptions } from "./connect_options.ts";
import { findSocket } from "./find_socket.ts";
import { SocketChannel } from "./socket_channel.ts";
import { withConnectionInfo } from "./connection_info.ts";

const STREAMS = ["follow", "watch", "workOnStore"] as const satisfies readonly StreamName[];

/**
 * Make a client that starts at once, if the daemon's Unix socket is there: it needs the libraries
 * of gRPC and protobuf only for streams. Elsewhere it is the ordinary client.
 */
export async function connectAtOnce(options: ConnectOptions): Promise<JobClient> {
  const { host = "localhost", port = GRPC_PORT_DEFAULT, daemonUser } = options;
  const daemonUid = daemonUser === undefined ? null : userId(daemonUser);
  const tried: string[] = [];
  const search = { ...options, host, port, daemonUid, tried };
  // If nobody listens at the given path, the first call reports it.
  const found = await findSocket(search, openSocket).catch(() => null);
  const connect = async () => (await import("./client.ts")).connect(options);
  if (found === null) return await connect();
  const channel = new SocketChannel(found, tried);
  return withConnectionInfo(
    socketClient(channel, options, connect),
    () => Promise.resolve(channel),
  );
}

function socketClient(
  channel: SocketChannel,
  options: ConnectOptions,
  connect: () => Promise<JobClient>,
): JobClient {
  const headers = options.values === "json" ? { [VALUES_HEADER]: JSON_VALUES } : {};
  const methods: Record<string, unknown> = {};
  for (const { name, title, path, input, output, isStream } of Object.values(METHOD_OF)) {
    if (isStream) continue;
    methods[name] = async (request: object = {}, { signal, timeoutMs }: CallOptions = {}) => {
      const bytes = await channel.call({
        method: title,
        path,
        headers,
        signal,
        request: encodeMessage(input, request),
        timeoutMs: timeoutMs ?? options.timeoutMs ?? CALL_TIMEOUT_MS,
      });
      return decode(output, bytes, `Cannot call ${title} at ${channel.address}`);
    };
  }
  let streaming: Promise<JobClient> | null = null;
  for (const name of STREAMS) {
    methods[name] = async function* (request: never, call: CallOptions) {
      streaming ??= connect();
      yield* (await streaming)[name](request, call);
    };
  }
  const close = () => {
    channel.close();
    void streaming?.then((client) => client.close(), () => {});
  };
  return { ...methods, close } as unknown as JobClient;
}

function decode(output: string, bytes: Uint8Array, action: string): object {
  try {
    return decodeMessage(output, bytes);
  } catch (error) {
    const problem = `the response is not a message: ${messageOf(error)}`;
    throw new JobError("internal", `${action}: ${problem}`, { cause: error });
  }
}
