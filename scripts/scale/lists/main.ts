import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { measureLists } from "./measure.ts";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "sqlite" },
    instances: { type: "string", default: "5000000" },
    kinds: { type: "string", default: "200" },
    lines: { type: "string", default: "300000" },
    ticks: { type: "string", default: "100000" },
    file: { type: "string" },
    limit: { type: "string", default: "100" },
    json: { type: "boolean", default: false },
  },
});
const begun = performance.now();
const note = (text: string) =>
  console.error(`${((performance.now() - begun) / 1_000).toFixed(0)} s  ${text}`);
const figures = await measureLists({
  store: values.store,
  file: values.file ?? null,
  isFilled: values.file !== undefined && existsSync(values.file),
  volume: {
    instances: Number(values.instances),
    kinds: Number(values.kinds),
    lines: Number(values.lines),
    ticks: Number(values.ticks),
  },
  note,
});
const limitMs = Number(values.limit);
if (values.json) console.log(JSON.stringify(figures, null, 2));
else {
  for (const { name, medianMs, maxMs, cpuMs, items } of figures) {
    const mark = medianMs > limitMs ? "  OVER" : "";
    const times = [medianMs, maxMs, cpuMs].map((ms) => ms.toFixed(1).padStart(8)).join("");
    console.log(`${name.padEnd(46)} ${times} ${String(items).padStart(6)}${mark}`);
  }
}
process.exit(figures.some(({ medianMs }) => medianMs > limitMs) ? 1 : 0);
