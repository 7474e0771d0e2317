import { after, before } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { EtcdStore } from "../../src/store/etcd/etcd_store.ts";
import { createMedium } from "../support/etcd_medium.ts";
import { type EtcdServer, startEtcd } from "../support/etcd_server.ts";
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
  const medium = createMedium(ports, { prefix: `case-${count}` });
  const store = new EtcdStore({
    medium,
    clock: systemClock,
    random: systemRandom,
    maxSkewMs: 1_000,
  });
  return { store, end: () => store.close() };
});
