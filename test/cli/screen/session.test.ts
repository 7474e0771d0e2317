import assert from "node:assert/strict";
import test from "node:test";
import { frameOf, Screen } from "../../../src/cli/screen/screen.ts";
import { onWholeTerminal } from "../../../src/cli/screen/session.ts";
import { FakeTerminal } from "../../support/worlds/fake_terminal.ts";
import { promisesRan, SimClock } from "../../support/worlds/sim_clock.ts";

const SIZE = { rows: 4, columns: 20 };

test("frameOf() writes only rows that differ, and erases those that are gone", () => {
  assert.equal(
    frameOf(["a", "b", "c"], ["a", "x"], 4),
    "\u001b[2;1H\u001b[2Kx\u001b[3;1H\u001b[2K",
  );
  assert.equal(frameOf(["a"], ["a"], 4), "");
  assert.equal(frameOf(null, ["a"], 4), "\u001b[2J\u001b[1;1H\u001b[2Ka");
  assert.equal(frameOf([], ["1", "2", "x"], 2).includes("x"), false);
});

test("Screen draws everything anew after the terminal has another size", async () => {
  const terminal = new FakeTerminal(SIZE);
  const screen = new Screen(terminal);
  screen.open();
  await screen.draw(["one", "two"]);
  assert.equal(terminal.text, "one\ntwo");
  terminal.resize({ rows: 2, columns: 10 });
  await screen.draw(["one", "two"]);
  assert.equal(terminal.text, "one\ntwo");
  await screen.close();
  assert.deepEqual([terminal.isTaken, terminal.isRaw, terminal.hasCursor], [false, false, true]);
  await screen.draw(["late"]);
  assert.equal(terminal.text, "one\ntwo");
});

/** Takes a terminal until told to return it. */
function taken() {
  const terminal = new FakeTerminal(SIZE);
  const events: string[] = [];
  let finish = (_error?: Error) => {};
  const clock = new SimClock();
  const done = onWholeTerminal(terminal, clock, async (screen, listen) => {
    listen({
      pressed: (key) => events.push(key),
      changed: () => {
        events.push("changed");
        void screen.draw(["text"]);
      },
      ended: () => events.push("ended"),
    });
    await screen.draw(["text"]);
    await new Promise<void>((resolve, reject) =>
      finish = (error) => error ? reject(error) : resolve()
    );
  });
  return { terminal, clock, events, done, finish: (error?: Error) => finish(error) };
}

function assertGivenBack(terminal: FakeTerminal): void {
  const { isTaken, isRaw, hasCursor } = terminal;
  assert.deepEqual({ isTaken, isRaw, hasCursor }, {
    isTaken: false,
    isRaw: false,
    hasCursor: true,
  });
}

test("onWholeTerminal() gives the terminal back at the end, and at an error", async () => {
  for (const error of [undefined, new Error("as asked")]) {
    const { terminal, done, finish } = taken();
    await promisesRan();
    assert.deepEqual([terminal.isTaken, terminal.isRaw], [true, true]);
    finish(error);
    if (error) await assert.rejects(done, error);
    else await done;
    assertGivenBack(terminal);
    assert.equal(terminal.listeners, 0);
  }
});

for (const [name, code] of [["SIGTERM", 143], ["SIGHUP", 129], ["SIGQUIT", 131]] as const) {
  test(`onWholeTerminal() gives the terminal back at ${name}`, async () => {
    const { terminal } = taken();
    await promisesRan();
    terminal.signal(name);
    assertGivenBack(terminal);
    assert.equal(terminal.exitCode, code);
  });
}

test("onWholeTerminal() gives the terminal back when the process ends by itself", async () => {
  const { terminal } = taken();
  await promisesRan();
  terminal.end();
  assertGivenBack(terminal);
});

test("onWholeTerminal() gives the terminal back while it is stopped, and takes it again", async () => {
  for (const stop of ["\u001a", "SIGTSTP"] as const) {
    for (const isStopped of [true, false]) {
      const { terminal, clock, events, done, finish } = taken();
      await promisesRan();
      if (stop === "SIGTSTP") terminal.signal(stop);
      else terminal.press(stop);
      await promisesRan();
      assertGivenBack(terminal);
      assert.equal(terminal.suspended, 1);
      if (isStopped) terminal.signal("SIGCONT");
      // Without a shell that controls jobs, the process is not stopped.
      else await clock.advance(100);
      await promisesRan();
      assert.deepEqual([terminal.isTaken, terminal.isRaw, terminal.text], [true, true, "text"]);
      assert.deepEqual(events, ["changed"]);
      await clock.advance(100);
      finish();
      await done;
      assertGivenBack(terminal);
      assert.equal(terminal.listeners, 0);
    }
  }
});

test("onWholeTerminal() passes keys, sizes and the end of the input on", async () => {
  const { terminal, events, done, finish } = taken();
  await promisesRan();
  terminal.press("q", "\u001b[A");
  terminal.signal("SIGINT");
  terminal.resize({ rows: 5, columns: 30 });
  terminal.endInput();
  assert.deepEqual(events, ["q", "up", "ctrl-c", "changed", "ended"]);
  finish();
  await done;
});
