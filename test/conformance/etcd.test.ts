import { after, before } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { systemRandom } from "../../src/platform/random.ts";
import { ReplicaStore } from "../../src/store/replica/replica_store.ts";
import { createMedium } from "../support/etcd_medium.ts";
import { type EtcdServer, startEtcd } from "../support/etcd_server.ts";
import { exerciseStore } from "./suite.ts";

let server: EtcdServer;
let count = 0;

before(async () => {
  server = await startEtcd();
});
after(() => server.close());

exerciseStore("ReplicaStore on etcd", async () => {
  count += 1;
  const ports = server.members.map(({ port }) => port);
  const medium = createMedium(ports, { prefix: `case-${count}` });
  const store = new ReplicaStore({ medium, clock: systemClock, random: systemRandom });
  return { store, end: () => store.close() };
});
