import assert from "node:assert/strict";
import { test } from "node:test";
import { isIpAddress, isPublicAddress } from "../../src/core/public_address.ts";

const PUBLIC = [
  "1.1.1.1",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "169.253.255.255",
  "172.15.255.255",
  "172.32.0.0",
  "192.167.255.255",
  "192.169.0.0",
  "198.20.0.0",
  "223.255.255.255",
  "2606:4700:4700::1111",
  "2001:4860:4860::8888",
  "::ffff:8.8.8.8",
  "64:ff9b::808:808",
  "2002:808:808::1",
];
const SPECIAL = [
  "0.0.0.0",
  "10.0.0.1",
  "100.64.0.1",
  "100.100.100.200",
  "127.0.0.1",
  "127.255.255.255",
  "168.63.129.16",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.192",
  "192.168.255.255",
  "198.19.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::127.0.0.1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "0:0:0:0:0:ffff:a9fe:a9fe",
  "::ffff:0:10.0.0.1",
  "64:ff9b::a9fe:a9fe",
  "64:ff9b:1::1",
  "2002:7f00:1::",
  "2001::1",
  "2001:db8::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "fec0::1",
  "ff02::1",
  "100::1",
  "4000::1",
];

test("isPublicAddress() is true for hosts of the internet, up to the edges of special networks", () => {
  assert.deepEqual(PUBLIC.filter((address) => !isPublicAddress(address)), []);
});

test("isPublicAddress() is false for private, local and reserved addresses, in every spelling", () => {
  assert.deepEqual(SPECIAL.filter((address) => isPublicAddress(address)), []);
});

test("isIpAddress() is false for names and broken addresses", () => {
  const wrong = [
    "",
    "a.example",
    "1.2.3",
    "1.2.3.256",
    "1.2.3.4.5",
    ":::",
    "1::2::3",
    "1:2:3",
    "g::1",
    "1:2:3:4:5:6:7:8:9",
    "::1.2.3.400",
  ];
  assert.deepEqual(wrong.filter(isIpAddress), []);
  assert.deepEqual(wrong.filter(isPublicAddress), []);
  assert.deepEqual([...PUBLIC, ...SPECIAL].filter((address) => !isIpAddress(address)), []);
});
