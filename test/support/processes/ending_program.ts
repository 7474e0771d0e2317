// A program of the library that ends as its second argument says, run by
// test/e2e/faults/endings.test.ts.
import { writeSync } from "node:fs";
import process from "node:process";
import { Manager } from "ts-job";

const COUNT = 3;
const [path, ending] = process.argv.slice(2);
const say = (...words: readonly string[]) => void writeSync(1, `${words.join(" ")}\n`);

const manager = new Manager({ store: `sqlite:${path}`, keepAlive: ending === "signal" });
manager.registerJob({ kind: "later", run: () => {} });
manager.registerJob({
  kind: "exits",
  run: () => {
    // It is taken over at the next start, which has another end.
    if (ending === "job exits") process.exit(0);
  },
});
await manager.start();
const { items } = await manager.lookupInstances({});
for (const { id } of items) say("has", id);
if (ending === "stop") {
  await manager.stop();
} else {
  for (let count = 0; count < COUNT; count++) {
    say("accepted", (await manager.scheduleJob("later", { after: "1h" })).id);
  }
  if (ending === "exception") {
    setTimeout(() => {
      throw new Error("as planned");
    }, 1);
  }
  if (ending === "exit") process.exit(0);
  if (ending === "job exits") {
    const instance = await manager.scheduleJob("exits");
    say("accepted", instance.id);
    await manager.wait(instance);
  }
  say("ready");
}
