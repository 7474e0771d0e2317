// What a user of ts-job writes first: scripts/packages.mjs compiles it under strict and runs it on
// each runtime, in a folder where the published package is installed.
import { type Context, defineJob, type Instance, JobError, Manager, resultsOf } from "ts-job";
import { connect, httpStatusOf, type JobClient, JobState } from "ts-job/client";
import { type OpenFixture, storeConformance } from "ts-job/conformance";

export const suite: (name: string, open: OpenFixture) => void = storeConformance;
export const client: JobClient = connect({ socket: null, port: 1 });
client.close();
if (
  JobState[JobState.COMPLETED] !== "COMPLETED" || httpStatusOf(new JobError("timeout", "t")) !== 504
) {
  throw new Error("Wrong values of the client");
}

const sum = defineJob({
  kind: "sum",
  params: "x: number, y: number, ctx: Context",
  run: (x: number, y: number, ctx: Context) => {
    ctx.log.info("adds");
    return x + y;
  },
});

for (const store of ["memory:", "sqlite:jobs.db"]) {
  const manager = new Manager({ store, workers: 2 });
  await manager.start();
  const instance: Instance = await manager.wait(
    await manager.scheduleJob(sum, { arguments: ["42", "58"] }),
    10_000,
  );
  if (resultsOf(instance)[0] !== 100) throw new Error(`Wrong result on ${store}`);
  await manager.stop();
}
console.log(`${Manager.name} and ${JobError.name} work`);
