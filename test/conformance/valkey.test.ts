import { after } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { ValkeyStore } from "../../src/store/valkey/valkey_store.ts";
import { plainLink } from "../support/plain_valkey_link.ts";
import { startValkey, type ValkeyServer } from "../support/valkey_server.ts";
import { exerciseStore } from "./suite.ts";

let server: Promise<ValkeyServer> | null = null;
let count = 0;
after(async () => (await server)?.close());

exerciseStore("ValkeyStore", async ({ clock }) => {
  server ??= startValkey();
  const { port } = await server;
  const namespace = `case ${count++}`;
  const another = async () =>
    new ValkeyStore({ link: plainLink({ port }), namespace, clock, defer: systemClock.defer });
  const store = await another();
  return { store, another, isShared: true, end: () => store.close() };
});
