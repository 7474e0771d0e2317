import { test } from "node:test";
import type { JobClient } from "../../../src/rpc/client/client.ts";
import { apiWorld } from "./api_world.ts";
import type { FakeManager } from "./fake_manager.ts";
import { httpClient } from "./http_client.ts";
import { type LoggedLine, rpcWorld, type RpcWorldOptions } from "./rpc_world.ts";

/** A server over a fake manager, and its clients. */
export interface MethodWorld {
  readonly manager: FakeManager;
  readonly lines: readonly LoggedLine[];
  /** A client of the server's transport. */
  client(options?: { readonly token?: string }): JobClient;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of a world that both transports have. */
type MethodWorldOptions = Pick<RpcWorldOptions, "manager"> & {
  readonly server?: Pick<NonNullable<RpcWorldOptions["server"]>, "auth">;
};

/** Starts the server of a test. */
export type OpenWorld = (options?: MethodWorldOptions) => Promise<MethodWorld>;

async function httpWorld(
  { manager, server }: MethodWorldOptions = {},
  readsHere = false,
): Promise<MethodWorld> {
  const world = await apiWorld({
    readsHere,
    ...(manager === undefined ? {} : { manager }),
    ...(server?.auth === undefined ? {} : { auth: server.auth }),
  });
  return {
    manager: world.manager,
    lines: world.lines,
    client: ({ token } = {}) => httpClient(world.url, token),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

/** A test of methods, which runs over gRPC, and over HTTP with both ways to read. */
export function testMethods(
  name: string,
  run: (open: OpenWorld, transport: "gRPC" | "HTTP") => Promise<void>,
): void {
  test(name, () => run(rpcWorld, "gRPC"));
  test(`${name}, over HTTP`, () => run(httpWorld, "HTTP"));
  test(`${name}, over HTTP with reads in the server's thread`, () =>
    run((options) => httpWorld(options, true), "HTTP"));
}
