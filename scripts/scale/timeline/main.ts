import process from "node:process";
import { parseArgs } from "node:util";
import { systemClock } from "../../../src/platform/clock.ts";
import { type ScratchStore, scratchStore } from "../../bench/scratch_store.ts";
import { type Content, fill, multiply } from "./fill.ts";
import { measure } from "./measure.ts";

/** Instances written one by one into a SQLite file before they are multiplied. */
const SEED = 20_000;

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "sqlite" },
    instances: { type: "string" },
    schedules: { type: "string", default: "1000" },
    times: { type: "string", default: "15" },
    max: { type: "string", default: "100" },
  },
});
const instances = Number(values.instances ?? (values.store === "etcd" ? 500_000 : 5_000_000));
const nowMs = systemClock.now().wallMs;
const content: Content = { instances, schedules: Number(values.schedules), nowMs };

async function fillScratch(scratch: ScratchStore): Promise<void> {
  const isSqlite = values.store === "sqlite" && instances > SEED;
  const store = scratch.open();
  await store.open({ at: systemClock.now(), node: "scale" });
  const first = isSqlite ? { ...content, instances: SEED } : content;
  await fill(store, first, values.store === "valkey");
  await store.close();
  const path = scratch.env.JOBCTL_STORE_URL!.slice("sqlite:".length);
  if (isSqlite) multiply(path, SEED, content);
}

const isFile = values.store === "sqlite";
const scratch = await scratchStore(isFile ? "sqlite:" : values.store);
try {
  console.log(`Filling ${values.store} with ${instances} instances …`);
  await fillScratch(scratch);
  const store = scratch.open();
  await store.open({ at: systemClock.now(), node: "scale" });
  const figures = await measure(store, { nowMs, times: Number(values.times) });
  await store.close();
  const text = (ms: number) => ms.toFixed(1).padStart(10);
  const heads = ["processor", "first", "median", "max", "blocked"];
  console.log("ms".padEnd(28) + heads.map((head) => head.padStart(10)).join(""));
  for (const { name, processorMs, firstMs, medianMs, maxMs, blockedMs } of figures) {
    const numbers = [processorMs, firstMs, medianMs, maxMs, blockedMs].map(text).join("");
    console.log(`${name.padEnd(28)}${numbers}`);
  }
  const limit = Number(values.max);
  const slow = figures.filter(({ processorMs }) => processorMs > limit);
  for (const { name } of slow) console.error(`${name}: more than ${limit} ms`);
  process.exitCode = slow.length > 0 ? 1 : 0;
} finally {
  await scratch.clean();
}
