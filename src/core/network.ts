import { readAddress } from "./public_address.ts";

/** A network: the words of its first address, and the number of significant bits. */
export interface Network {
  readonly words: readonly number[];
  readonly bits: number;
}

/** Read an address, or a network such as `10.0.0.0/8`; null if the text is neither. */
export function readNetwork(text: string): Network | null {
  const [, address = "", suffix] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const words = readAddress(address);
  if (words === null) return null;
  const all = 128;
  if (suffix === undefined) return { words, bits: all };
  // An IPv4 address is the end of an IPv6 one.
  const bits = Number(suffix) + (address.includes(":") ? 0 : all - 32);
  return bits <= all ? { words, bits } : null;
}

/** True if an address is in one of some networks. */
export function isInNetworks(address: string, networks: readonly Network[]): boolean {
  const words = readAddress(address);
  if (words === null) return false;
  return networks.some((network) => {
    for (let at = 0; at < words.length; at += 1) {
      const bits = Math.min(16, Math.max(0, network.bits - at * 16));
      if (words[at]! >> 16 - bits !== network.words[at]! >> 16 - bits) return false;
    }
    return true;
  });
}
