import assert from "node:assert/strict";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { readCertificateNames } from "../../../src/platform/network/certificate_names.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import type { ClientRule } from "../../../src/platform/network/server_config.ts";
import { NEEDS_ROOT } from "../../support/processes/foreign_user.ts";
import { NO_AUTH, type RpcWorld, rpcWorld } from "../../support/worlds/rpc_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import { tlsFile } from "../../support/tls_files.ts";

const SERVER = {
  cert: tlsFile("server.crt"),
  key: tlsFile("server.key"),
  clientCa: tlsFile("clients_ca.crt"),
};
const CLIENT = {
  ca: tlsFile("server.crt"),
  cert: tlsFile("client.crt"),
  key: tlsFile("client.key"),
};
const CERTIFICATE = new X509Certificate(readFileSync(tlsFile("client.crt")));

function worldOf(
  clients: readonly ClientRule[],
  { revokedFile = null, clock }: { readonly revokedFile?: string | null; readonly clock?: Clock } =
    {},
) {
  return rpcWorld({
    ...(clock ? { clock } : {}),
    server: { tls: SERVER, auth: { ...NO_AUTH, mode: "mtls", clients, revokedFile } },
  });
}

function rule(name: Partial<ClientRule>, role: ClientRule["role"] = "viewer"): ClientRule {
  return { cn: null, san: null, role, jobs: null, ...name };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "ok";
  } catch (error) {
    assert.ok(isJobError(error), String(error));
    return error.code;
  }
}

/** The client's rights: to read, to run, to change the daemon. */
async function rightsOf(world: RpcWorld): Promise<readonly string[]> {
  const client = world.client({ tls: CLIENT });
  return [
    await codeOf(client.getVersion()),
    await codeOf(client.scheduleJob({ kind: "echo" })),
    await codeOf(client.resizeWorkers({ count: 1 })),
  ];
}

test("readCertificateNames() keeps apart what only looks like other names", () => {
  assert.deepEqual(readCertificateNames(CERTIFICATE.raw), {
    commonName: "ci",
    alternativeNames: [
      "DNS:ci.example.org",
      "URI:spiffe://x/a, DNS:admin.example.org",
      "EMAIL:ci@example.org",
      "IP:10.0.0.1",
      "DNS:b, DNS:evil",
    ],
  });
  assert.deepEqual(readCertificateNames(Buffer.from("3003020101", "hex")), {
    commonName: null,
    alternativeNames: [],
  });
});

test("a certificate has the role of the first rule that names it", async () => {
  for (
    const name of [{ cn: "ci" }, { san: "DNS:CI.example.org" }, { san: "EMAIL:*@example.org" }]
  ) {
    await using world = await worldOf([
      rule({ cn: "other" }, "admin"),
      rule(name, "operator"),
      rule({ cn: "*" }, "admin"),
    ]);
    assert.deepEqual(await rightsOf(world), ["ok", "ok", "permission_denied"]);
  }
});

test("a certificate that no rule names may do nothing", async () => {
  await using world = await worldOf([
    rule({ san: "DNS:admin.example.org" }, "admin"),
    rule({ san: "DNS:evil" }, "admin"),
    rule({ cn: "ci.example.org" }, "admin"),
  ]);
  assert.deepEqual(await rightsOf(world), [
    "unauthenticated",
    "unauthenticated",
    "unauthenticated",
  ]);
});

test("every certificate of the authority is an admin's without rules", async () => {
  await using world = await worldOf([]);
  assert.deepEqual(await rightsOf(world), ["ok", "ok", "ok"]);
});

test("the jobs of a rule bound what a certificate may be used for", async () => {
  await using world = await worldOf([rule({ cn: "ci", jobs: ["shop-*"] }, "operator")]);
  assert.deepEqual(await rightsOf(world), ["ok", "permission_denied", "permission_denied"]);
});

test("a certificate that expires loses its connection, and a client with it is refused", async () => {
  const { validTo } = CERTIFICATE;
  const clock = new SimClock(Date.parse(validTo) - 1_000);
  await using world = await worldOf([], { clock });
  const client = world.client({ tls: CLIENT });
  const { id } = world.manager.add({ state: "processing" });
  const waiting = codeOf(client.waitInstance({ uuid: id, waitMs: 60_000n }));
  assert.equal(await codeOf(client.getVersion()), "ok");
  await clock.advance(2_000);
  assert.equal(await waiting, "unavailable", "its connection is closed");
  // The handshake does not refuse it, as in a resumed TLS session.
  assert.equal(await codeOf(world.client({ tls: CLIENT }).getVersion()), "unauthenticated");
});

for (
  const [what, line] of [
    ["its serial number", "0a:1b:2c:3d  # lost laptop"],
    ["its serial number as openssl prints it", "serial=0A1B2C3D"],
    ["its fingerprint as openssl prints it", `sha256 Fingerprint=${CERTIFICATE.fingerprint256}`],
  ] as const
) {
  test(`a certificate that is revoked by ${what} may do nothing any more`, async () => {
    await using place = await rpcWorld({ isStarted: false });
    const list = join(place.folder, "revoked");
    writeFileSync(list, "# nobody yet\nFFFF\n");
    const clock = new SimClock();
    await using world = await worldOf([], { revokedFile: list, clock });
    const client = world.client({ tls: CLIENT });
    const { id } = world.manager.add({ state: "processing" });
    const waiting = codeOf(client.waitInstance({ uuid: id, waitMs: 60_000n }));
    assert.equal(await codeOf(client.getVersion()), "ok");
    writeFileSync(list, `${line}\n`);
    await clock.advance(2_000);
    assert.equal(await waiting, "unavailable", "its connection is closed");
    assert.equal(await codeOf(client.getVersion()), "unauthenticated");
    // With an unreadable list, revoked certificates stay revoked.
    rmSync(list);
    assert.equal(await codeOf(world.client({ tls: CLIENT }).getVersion()), "unauthenticated");
  });
}

test("a certificate whose authority is revoked may do nothing any more", async () => {
  await using place = await rpcWorld({ isStarted: false });
  const list = join(place.folder, "revoked");
  writeFileSync(list, "FFFF\n");
  const clock = new SimClock();
  await using world = await rpcWorld({
    clock,
    server: {
      tls: { ...SERVER, clientCa: tlsFile("chain_ca.crt") },
      auth: { ...NO_AUTH, mode: "mtls", revokedFile: list },
    },
  });
  const tls = { ...CLIENT, cert: tlsFile("chain_client.crt"), key: tlsFile("chain_client.key") };
  assert.equal(await codeOf(world.client({ tls }).getVersion()), "ok");
  writeFileSync(list, "serial=5EAD0001\n");
  await clock.advance(2_000);
  assert.equal(await codeOf(world.client({ tls }).getVersion()), "unauthenticated");
});

test("start() refuses a list of revoked certificates that others may change", {
  skip: NEEDS_ROOT,
}, async () => {
  await using place = await rpcWorld({ isStarted: false });
  const list = join(place.folder, "revoked");
  writeFileSync(list, "0a1b\n");
  chmodSync(list, 0o666);
  await using world = await rpcWorld({
    isStarted: false,
    server: { tls: SERVER, auth: { ...NO_AUTH, mode: "mtls", revokedFile: list } },
  });
  await assert.rejects(world.server.start(), (error) => {
    assert.ok(isJobError(error, "invalid_config"));
    assert.match(error.message, /revoked" is not trusted: every user can write to it/);
    return true;
  });
});

test("start() refuses a list of revoked certificates that is none, naming the line", async () => {
  await using place = await rpcWorld({ isStarted: false });
  const list = join(place.folder, "revoked");
  writeFileSync(list, "0a1b\nnot-a-serial\n");
  await using world = await rpcWorld({
    isStarted: false,
    server: { tls: SERVER, auth: { ...NO_AUTH, mode: "mtls", revokedFile: list } },
  });
  await assert.rejects(world.server.start(), (error) => {
    assert.ok(isJobError(error, "invalid_config"));
    assert.ok(error.message.includes(list) && error.message.includes("line 2"), error.message);
    return true;
  });
});

test("adopt() takes a certificate its role", async () => {
  await using world = await worldOf([rule({ cn: "ci" }, "admin")]);
  const client = world.client({ tls: CLIENT });
  assert.equal(await codeOf(client.resizeWorkers({ count: 1 })), "ok");
  world.server.adopt({ ...NO_AUTH, mode: "none", clients: [rule({ cn: "ci" })] });
  assert.equal(await codeOf(world.client({ tls: CLIENT }).getVersion()), "ok");
  assert.equal(
    await codeOf(world.client({ tls: CLIENT }).resizeWorkers({ count: 1 })),
    "permission_denied",
  );
});
