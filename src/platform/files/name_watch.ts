import { closeSync, openSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { lazyLibc } from "../system/libc.ts";

const F_NOTIFY = 1_026;
const DN_CREATE = 0x4;
const DN_DELETE = 0x8;
const DN_RENAME = 0x10;
/** Repeatedly, not only once; the highest bit of 32. */
const DN_MULTISHOT = -0x8000_0000;

const libc = lazyLibc("fcntl");

/**
 * Watch the names in the folder of a file, behind links: `changed` is called after one was added,
 * removed or given to another file. The kernel sends SIGIO then, so that waiting for it costs
 * nothing. Neither writes nor another machine's changes in a shared folder are reported.
 *
 * @returns function that ends it; null if unsupported
 */
export function watchNames(file: string, changed: () => void): (() => void) | null {
  const library = libc();
  if (library === null) return null;
  let descriptor: number;
  try {
    descriptor = openSync(dirname(realpathSync(file)), "r");
  } catch {
    return null;
  }
  // Without a listener the signal would end the process, so it stays.
  let isOn = true;
  process.on("SIGIO", () => {
    if (isOn) changed();
  });
  const events = DN_CREATE | DN_DELETE | DN_RENAME | DN_MULTISHOT;
  const close = () => {
    isOn = false;
    closeSync(descriptor);
  };
  if (library.symbols.fcntl(descriptor, F_NOTIFY, events) === 0) return close;
  close();
  return null;
}
