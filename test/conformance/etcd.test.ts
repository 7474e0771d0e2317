import assert from "node:assert/strict";
import { after, before } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { etcdStoreOn } from "../../src/store/etcd/create.ts";
import { createMedium } from "../support/servers/etcd_medium.ts";
import { type EtcdServer, startEtcd } from "../support/servers/etcd_server.ts";
import { exerciseStore } from "./suite.ts";

let server: EtcdServer;
let count = 0;

before(async () => {
  server = await startEtcd();
});
after(() => server.close());

exerciseStore("EtcdStore", async () => {
  count += 1;
  const ports = server.members.map(({ port }) => port);
  const prefix = `case-${count}`;
  const another = async () =>
    etcdStoreOn({
      medium: createMedium(ports, { prefix }),
      clock: systemClock,
      random: systemRandom,
      maxSkewMs: 1_000,
    });
  const store = await another();
  const foreign = async () => {
    await server.ctl("put", `foreign-${prefix}`, "theirs");
    await server.ctl("put", `${prefix}-2/head`, "a neighbour's");
    return async () => {
      assert.match(await server.ctl("get", `foreign-${prefix}`), /theirs/);
      assert.match(await server.ctl("get", `${prefix}-2/head`), /a neighbour's/);
    };
  };
  return { store, another, foreign, end: () => store.close() };
});
