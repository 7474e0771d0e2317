/** An IPv4 network as its first address and the length of its prefix. */
type Network4 = readonly [first: string, bits: number];

/** Networks without public hosts: private, local, reserved, multicast. */
const SPECIAL_4: readonly Network4[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  // Azure's host that answers questions about a machine has a public address.
  ["168.63.129.16", 32],
  // Also 169.254.169.254, which serves a machine's credentials in most clouds.
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

/**
 * True if an IP address belongs to a host on the public internet: not private, loopback,
 * link-local, shared, reserved, multicast, or a cloud service. An IPv4 address in an IPv6 address
 * decides. False for text that is not an address.
 */
export function isPublicAddress(address: string): boolean {
  const four = readIpv4(address);
  if (four !== null) return isPublic4(four);
  const six = readIpv6(address);
  return six !== null && isPublic6(six);
}

/** True if `text` is an IPv4 or IPv6 address, without brackets. */
export function isIpAddress(text: string): boolean {
  return readIpv4(text) !== null || readIpv6(text) !== null;
}

/**
 * The eight words of an address. An IPv4 address is the mapped one of IPv6: `::ffff:10.0.0.1` is
 * the same as `10.0.0.1`. Null for other text.
 */
export function readAddress(text: string): readonly number[] | null {
  const four = readIpv4(text);
  if (four === null) return readIpv6(text);
  return [0, 0, 0, 0, 0, 0xffff, Math.floor(four / 65_536), four % 65_536];
}

function isPublic4(address: number): boolean {
  return !SPECIAL_4.some(([first, bits]) => {
    const shift = 32 - bits;
    return Math.floor(address / 2 ** shift) === Math.floor(readIpv4(first)! / 2 ** shift);
  });
}

function isPublic6(words: readonly number[]): boolean {
  const [a, b, c, d, e, f] = words as [number, number, number, number, number, number];
  const last = words[6]! * 65_536 + words[7]!;
  const isZero = (count: number) => words.slice(0, count).every((word) => word === 0);
  // Mapped and compatible addresses, also ::1 and ::.
  if (isZero(5) && (f === 0xffff || f === 0)) return isPublic4(last);
  if (isZero(4) && e === 0xffff && f === 0) return isPublic4(last);
  // NAT64 and 6to4.
  if (a === 0x64 && b === 0xff9b) return c + d + e + f === 0 && isPublic4(last);
  if (a === 0x2002) return isPublic4(b * 65_536 + c);
  // Only 2000::/3 is in use. Not: 2001::/23 for protocols such as Teredo, and documentation.
  if (a < 0x2000 || a > 0x3fff) return false;
  if (a === 0x2001 && (b < 0x200 || b === 0xdb8)) return false;
  return !(a === 0x3fff && b < 0x1000);
}

function readIpv4(text: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  const parts = match.slice(1).map(Number);
  if (parts.some((part) => part > 255)) return null;
  return parts.reduce((whole, part) => whole * 256 + part, 0);
}

/** The eight words of an address, without its zone; null if it is not IPv6. */
function readIpv6(text: string): number[] | null {
  let address = text.replace(/%.*$/, "");
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (tail !== null) {
    const four = readIpv4(tail[2]!);
    if (four === null) return null;
    const words = [Math.floor(four / 65_536), four % 65_536];
    address = tail[1] + words.map((word) => word.toString(16)).join(":");
  }
  const halves = address.split("::");
  if (halves.length > 2) return null;
  const read = halves.map((half) => half === "" ? [] : half.split(":"));
  const groups = read.flat();
  if (groups.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  const missing = 8 - groups.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const [before, after = []] = read as [string[], string[]?];
  return [...before, ...Array<string>(missing).fill("0"), ...after]
    .map((group) => parseInt(group, 16));
}
