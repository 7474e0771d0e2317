import type { Verb } from "../../verb/verb.ts";

/** `jobctl top` */
export const TOP: Verb = {
  name: "top",
  summary: "Watch everything on one screen: what runs, what is next, what failed, incidents, nodes",
  details: [
    "Keys open the log or the description of the selected row, cancel or retry a run, and pause or",
    "resume a job. Each change is described first, and made only if you press y. The key ? shows all",
    "keys, q quits. If the daemon restarts, the view waits for it. It needs a terminal of 60 columns",
    "and 20 rows, with or without colors.",
  ].join(" "),
  options: {
    kind: {
      alias: "k",
      value: "KIND",
      describe: "Only this job (default: all jobs)",
      offers: "kind",
    },
  },
  examples: [
    ["jobctl top", "Everything on one screen"],
    ["jobctl top --kind report", "One job"],
    ["ssh -t web1 jobctl top", "On another machine"],
  ],
  async run(args, context) {
    const { assertScreen, callerOf, TopApp } = await import("../../top/app.ts");
    assertScreen(context);
    const { onWholeTerminal } = await import("../../screen/session.ts");
    const { assertKinds } = await import("../../lookup/lookup.ts");
    const { io, printer } = context;
    const terminal = io.terminal ?? (await import("../../screen/terminal.ts")).processTerminal();
    const client = await context.client();
    const kind = args.text("kind");
    // Connection errors are reported before the terminal is taken.
    const caller = await callerOf(client);
    if (kind !== undefined) await assertKinds(client, [kind]);
    const { hasColor } = printer.options;
    return await onWholeTerminal(terminal, io.clock, (screen, listen) => {
      const app = new TopApp({ context, client, caller, screen, hasColor, kind });
      listen(app);
      return app.run();
    });
  },
};
