// Typed jobs that the compiler must accept or refuse: a line after @ts-expect-error is an error.
import {
  type Context,
  type JobInstance,
  Manager,
  type StandardSchema,
  type StoreOptions,
} from "../../src/index.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true
  : false;
function same<A, B>(_is: Same<A, B>): void {}

/** Never called: its types are the test. */
export async function typedJobs(): Promise<void> {
  const manager = new Manager();

  const sum = manager.registerJob({ kind: "sum", run: (x: number, y: number) => x + y });
  const added = await sum.schedule(1, 2);
  // @ts-expect-error one argument is missing
  await sum.schedule(1);
  // @ts-expect-error text is not a number
  await sum.schedule(1, "2");
  // @ts-expect-error one argument too many
  await sum.schedule(1, 2, 3);
  const total = await sum.result(added);
  same<typeof total, number>(true);
  const [first] = (await manager.wait(added)).results;
  same<typeof first, number | undefined>(true);
  // @ts-expect-error an instance of another job
  await sum.result({} as JobInstance<readonly [string]>);
  await sum.scheduleWith({ after: "2h", priority: -1 }, 1, 2);
  // @ts-expect-error arguments come after the options
  await sum.scheduleWith({ arguments: [1, 2] }, 1, 2);
  // scheduleJob() takes arguments in any convenient form.
  const other = await manager.scheduleJob(sum, { arguments: ["42", "58"] });
  same<typeof other, JobInstance<readonly [number]>>(true);

  function greet(name: string, times?: number): { text: string; at: Date } {
    return { text: name.repeat(times ?? 1), at: new Date() };
  }
  const greeting = manager.registerJob(greet);
  await greeting.schedule("Ann");
  await greeting.schedule("Ann", 3);
  // @ts-expect-error a number is not a name
  await greeting.schedule(5);
  const { text, at } = await greeting.result(await greeting.schedule("Ann"));
  same<typeof text, string>(true);
  // A date comes back as JSON stores it.
  same<typeof at, string>(true);

  const day = manager.registerJob({ kind: "day", run: (date: Date) => date.getTime() });
  // @ts-expect-error the function would get text: it needs params
  await day.schedule(new Date());
  const dayByText = manager.registerJob({
    kind: "day by text",
    params: "date: Date, ctx: Context, step?: number",
    returns: "Date",
    run: (date: Date, ctx: Context, step?: number) => {
      ctx.log.info(date, step);
      return date;
    },
  });
  await dayByText.schedule(new Date());
  await dayByText.schedule(new Date(), 2);
  // @ts-expect-error the context takes no argument
  await dayByText.schedule(new Date(), {} as Context, 2);
  const when = await dayByText.result(await dayByText.schedule(new Date()));
  same<typeof when, Date>(true);

  const both = manager.registerJob({
    kind: "both",
    returns: "[sum: number, text: string]",
    run: (x: number): [sum: number, text: string] => [x, String(x)],
  });
  const { results: [number, word] } = await manager.wait(await both.schedule(1));
  same<typeof number, number | undefined>(true);
  same<typeof word, string | undefined>(true);

  const quiet = manager.registerJob({ kind: "quiet", run: async () => {} });
  const nothing = await quiet.result(await quiet.schedule());
  same<typeof nothing, undefined>(true);

  const loose = manager.registerJob({ kind: "loose", params: "x: number", run: (x) => x });
  await loose.schedule(1);

  const mail = {} as StandardSchema<{ to: string; on?: string }, { to: string; on: Date }>;
  const send = manager.registerJob({
    kind: "send",
    params: mail,
    run: ({ to, on }, ctx) => {
      same<typeof to, string>(true);
      same<typeof on, Date>(true);
      ctx.log.info(to, on);
      return to.length;
    },
  });
  await send.schedule({ to: "ann@example.org" });
  // @ts-expect-error the schema wants "to"
  await send.schedule({ on: "2026-01-01" });
  // @ts-expect-error the schema takes text
  await send.schedule({ to: "ann@example.org", on: new Date() });
  const length = await send.result(await send.schedule({ to: "ann@example.org" }));
  same<typeof length, number>(true);

  const count = {} as StandardSchema<number>;
  const listed = manager.registerJob({
    kind: "listed",
    params: [mail, count],
    run: (message, times) => `${message.on.getTime()} ${times.toFixed()}`,
  });
  await listed.schedule({ to: "ann@example.org" }, 2);
  const step = {} as StandardSchema<number | undefined, number>;
  const stepped = manager.registerJob({
    kind: "stepped",
    params: [count, step],
    run: (from, by) => from + by,
  });
  await stepped.schedule(1);
  await stepped.schedule(1, undefined);
  // @ts-expect-error only the second one may be left out
  await stepped.schedule();
  // @ts-expect-error the second one is a number
  await listed.schedule({ to: "ann@example.org" }, "2");

  // @ts-expect-error no such option
  manager.registerJob({ kind: "sum", run() {} }, { replaces: true });
  const handled = await manager.scheduleJob(() => 1, {
    onComplete: (instance, values) => instance.log.info("done", values),
  });
  same<typeof handled, JobInstance>(true);
  const store: StoreOptions = { url: "valkey://host", tls: { ca: "ca.pem" }, startWait: "10s" };
  new Manager({ store });
  // @ts-expect-error no such option of a store
  new Manager({ store: { url: "valkey://host", waitReplica: 1 } });
}
