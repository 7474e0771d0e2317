import assert from "node:assert/strict";
import { test } from "node:test";
import { isInNetworks, readNetwork } from "../../src/core/network.ts";

function isIn(address: string, ...networks: string[]): boolean {
  return isInNetworks(address, networks.map((text) => readNetwork(text)!));
}

test("isInNetworks() compares as many bits as the network has", () => {
  assert.equal(isIn("10.1.2.3", "10.0.0.0/8"), true);
  assert.equal(isIn("11.0.0.0", "10.0.0.0/8"), false);
  assert.equal(isIn("192.168.1.127", "192.168.1.0/25"), true);
  assert.equal(isIn("192.168.1.128", "192.168.1.0/25"), false);
  assert.equal(isIn("192.168.1.1", "192.168.1.1"), true);
  assert.equal(isIn("192.168.1.2", "192.168.1.1"), false);
  assert.equal(isIn("203.0.113.9", "0.0.0.0/0"), true);
  assert.equal(isIn("2001:db8:1::1", "2001:db8::/47"), true);
  assert.equal(isIn("2001:db8:2::1", "2001:db8::/47"), false);
  assert.equal(isIn("::1", "10.0.0.0/8", "::1"), true);
});

test("isInNetworks() takes an IPv4 address as the mapped IPv6 one", () => {
  assert.equal(isIn("::ffff:10.1.2.3", "10.0.0.0/8"), true);
  assert.equal(isIn("::10.1.2.3", "0.0.0.0/0"), false);
  assert.equal(isIn("not an address", "0.0.0.0/0", "::/0"), false);
});

test("readNetwork() refuses what is no address or network", () => {
  for (const text of ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "a/8"]) {
    assert.equal(readNetwork(text), null, text);
  }
  assert.equal(readNetwork("fe80::1%eth0"), null);
});
