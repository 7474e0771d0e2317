import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { pidInTable, windowsPeer } from "../../../src/platform/network/windows_peer.ts";

const LISTENING = 2;
const ESTABLISHED = 5;

/** A port as it is in a table. */
function port(value: number): readonly number[] {
  return [value >> 8, value & 0xff, 0, 0];
}

function word(value: number): readonly number[] {
  return [value & 0xff, (value >> 8) & 0xff, 0, 0];
}

const LOCAL_4 = [127, 0, 0, 1];
const LOCAL_6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

test("pidInTable() finds the process that has the other end over IPv4", () => {
  const table = Buffer.from([
    ...word(4),
    ...[...word(LISTENING), ...LOCAL_4, ...port(59_051), ...LOCAL_4, ...port(40_000), ...word(7)],
    // Our own end.
    ...[...word(ESTABLISHED), ...LOCAL_4, ...port(40_000), ...LOCAL_4, ...port(59_051), ...word(8)],
    ...[
      ...word(ESTABLISHED),
      ...LOCAL_4,
      ...port(59_051),
      10,
      0,
      0,
      1,
      ...port(40_000),
      ...word(9),
    ],
    ...[
      ...word(ESTABLISHED),
      ...LOCAL_4,
      ...port(59_051),
      ...LOCAL_4,
      ...port(40_000),
      ...word(300),
    ],
  ]);
  const connection = {
    localAddress: "127.0.0.1",
    localPort: 40_000,
    remoteAddress: "127.0.0.1",
    remotePort: 59_051,
  };
  assert.equal(pidInTable(table, connection), 300);
  const mapped = {
    ...connection,
    localAddress: "::ffff:127.0.0.1",
    remoteAddress: "::FFFF:127.0.0.1",
  };
  assert.equal(pidInTable(table, mapped), 300);
  assert.equal(pidInTable(table, { ...connection, localPort: 40_001 }), null);
  assert.equal(pidInTable(table, { ...connection, remoteAddress: "127.0.0.2" }), null);
});

test("pidInTable() finds the process that has the other end over IPv6", () => {
  const other = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34];
  const row = (local: readonly number[], remote: readonly number[], pid: number) => [
    ...[...local, ...word(0), ...port(59_051), ...remote, ...word(0), ...port(40_000)],
    ...[...word(ESTABLISHED), ...word(pid)],
  ];
  const table = Buffer.from([...word(2), ...row(LOCAL_6, other, 5), ...row(LOCAL_6, LOCAL_6, 6)]);
  const ports = { localPort: 40_000, remotePort: 59_051 };
  const found = (localAddress: string) =>
    pidInTable(table, { ...ports, localAddress, remoteAddress: "::1" });
  assert.equal(found("::1"), 6);
  assert.equal(found("fe80::1234%eth0"), 5);
  assert.equal(found("fe80:0:0:0:0:0:0:1234"), 5);
  assert.equal(found("::2"), null);
});

test("windowsPeer() knows nothing where Windows cannot be asked", () => {
  const connection = { localAddress: "::1", localPort: 1, remoteAddress: "::1", remotePort: 2 };
  assert.equal(windowsPeer(connection), undefined);
});
