import { networkInterfaces } from "node:os";
import { readAddress } from "../../core/public_address.ts";

/** True for an address of this machine. */
export function isOwnAddress(host: string): boolean {
  const words = readAddress(host)?.join();
  if (words === undefined) return false;
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return own.some(({ address }) => readAddress(address)?.join() === words);
}
