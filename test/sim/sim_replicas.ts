import type { Random } from "../../src/platform/random.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { ReplicaStore } from "../../src/store/replica/store.ts";
import type { Store } from "../../src/store/store.ts";
import { SharedMedium } from "../support/servers/shared_medium.ts";
import type { SimClock } from "../support/worlds/sim_clock.ts";
import type { StoreFaults } from "./faulty_store.ts";

const REPLICAS = 2;
/** Longest delay to the medium: no operation may give up, as its record would be missing. */
const WAY_MS_MAX = 40;
/**
 * Shares of requests before which a response is lost, and a watch cut, while the link has faults.
 */
const LOSS_SHARE = 0.05;
const CUT_SHARE = 0.005;

/**
 * Replicas on one medium as the store of a simulated world: each request goes to any of them. While
 * the world's links lose or delay messages, the medium loses responses of commits, delays
 * everything and cuts watches.
 */
export function simReplicas(clock: SimClock, random: Random, faults: StoreFaults): Store {
  const shared = new SharedMedium();
  const media = Array.from({ length: REPLICAS }, () => shared.connect());
  const delay = () =>
    new Promise<void>((resolve) => {
      const delayMs = faults.latencyMaxMs === 0 ? 0 : random.next() * WAY_MS_MAX;
      if (delayMs === 0) resolve();
      else clock.timer(delayMs, resolve);
    });
  const stores = media.map((medium, index) => {
    medium.faults.delay = delay;
    return new ReplicaStore({
      ...{ medium, clock, random: seededRandom(index + 1) },
      now: () => clock.now(),
    });
  });
  const misbehave = () => {
    if (faults.lostAnswers === 0 && faults.lostRequests === 0) return;
    const medium = media[Math.floor(random.next() * REPLICAS)]!;
    if (random.next() < LOSS_SHARE) {
      medium.faults.commits.push(random.next() < 0.5 ? "loseAfter" : "loseBefore");
    }
    if (random.next() < CUT_SHARE) medium.cutWatch();
  };
  const routed: Partial<Store> = {
    open: async (request) => {
      const infos = [];
      for (const store of stores) infos.push(await store.open(request));
      return infos[0]!;
    },
    subscribe: (listener) => {
      const stops = stores.map((store) => store.subscribe(listener));
      return () => stops.forEach((stop) => stop());
    },
  };
  return new Proxy(stores[0]!, {
    get(_target, key) {
      const own = Reflect.get(routed, key);
      if (own) return own;
      misbehave();
      const store = stores[Math.floor(random.next() * REPLICAS)]!;
      const value = Reflect.get(store, key);
      return typeof value === "function" ? value.bind(store) : value;
    },
  });
}
