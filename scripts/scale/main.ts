import { parseArgs } from "node:util";
import { scratchStore } from "../bench/scratch_store.ts";
import { measure } from "./measure.ts";

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
const maxMs = Number(values.max);
const isFile = values.store === "sqlite" || values.store === "memory";
const scratch = await scratchStore(isFile ? `${values.store}:` : values.store);
const store = scratch.open();
try {
  const nowMs = Date.now();
  await store.open({ at: { wallMs: nowMs, monotonicMs: performance.now() }, node: "scale" });
  console.log(`Filling ${values.store} with ${instances} instances …`);
  const figures = await measure(store, {
    content: { instances, schedules: Number(values.schedules), nowMs },
    isByTime: values.store === "valkey",
    times: Number(values.times),
  });
  const text = (ms: number) => ms.toFixed(1).padStart(9);
  console.log(`${"".padEnd(28)}    first   median      max  blocked (ms)`);
  for (const { name, firstMs, medianMs, maxMs: most, blockedMs } of figures) {
    const numbers = [firstMs, medianMs, most, blockedMs].map(text).join("");
    console.log(`${name.padEnd(28)}${numbers}`);
  }
  const slow = figures.filter(({ medianMs }) => medianMs > maxMs);
  for (const { name } of slow) console.error(`${name}: more than ${maxMs} ms`);
  process.exitCode = slow.length > 0 ? 1 : 0;
} finally {
  await store.close();
  await scratch.clean();
}
