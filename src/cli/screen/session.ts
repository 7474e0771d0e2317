import { type Clock, sleep } from "../../platform/clock.ts";
import { type Key, KeyReader } from "./keys.ts";
import { Screen } from "./screen.ts";
import type { Terminal } from "./terminal.ts";

/** Exit codes of signals that end the program: 128 and their number. */
const ENDINGS = { SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 } as const;

/** Longest time until a requested stop of the process takes effect. */
const STOP_MS = 100;

/** Events for a view that takes the whole terminal. */
export interface SessionEvents {
  pressed(key: Key): void;
  /** The terminal was resized, or something else has written on it. */
  changed(): void;
  /** The input has ended: no more keys will come. */
  ended(): void;
}

/**
 * Take the whole terminal while `action` runs. It is given back in any case: at an error, at a
 * signal, at Ctrl-Z until the program continues, and when the process exits.
 */
export async function onWholeTerminal<T>(
  terminal: Terminal,
  clock: Clock,
  action: (screen: Screen, listen: (events: SessionEvents) => void) => Promise<T>,
): Promise<T> {
  const screen = new Screen(terminal);
  let events: SessionEvents | null = null;
  const listenToStop = () => terminal.onSignals(["SIGTSTP"], () => void suspend());
  const proceed = () => {
    ignoreStop();
    ignoreStop = listenToStop();
    screen.open();
    events?.changed();
  };
  const suspend = async () => {
    await screen.close();
    ignoreStop();
    terminal.suspend();
    await sleep(clock, STOP_MS);
    if (!isOver) proceed();
  };
  let ignoreStop = listenToStop();
  let isOver = false;
  const keys = new KeyReader(clock, (key) => {
    if (key === "ctrl-z") return void suspend();
    if (key === "ctrl-l") screen.forget();
    events?.pressed(key);
  });
  const stops = [
    terminal.onExit(() => screen.closeNow()),
    terminal.onSignals(Object.keys(ENDINGS) as (keyof typeof ENDINGS)[], (name) => {
      screen.closeNow();
      terminal.exit(ENDINGS[name as keyof typeof ENDINGS]);
    }),
    // Only from outside, such as "kill -INT": the terminal itself sends a key.
    terminal.onSignals(["SIGINT"], () => events?.pressed("ctrl-c")),
    () => ignoreStop(),
    terminal.onSignals(["SIGCONT"], proceed),
    terminal.onResize(() => events?.changed()),
    terminal.onInput((text) => keys.push(text), () => events?.ended()),
  ];
  try {
    screen.open();
    return await action(screen, (given) => events = given);
  } finally {
    isOver = true;
    keys.close();
    await screen.close();
    for (const stop of stops) stop();
  }
}
