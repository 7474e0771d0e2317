import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { FOLD_COMMITS } from "../../../src/store/etcd/folding.ts";
import { type EtcdServer, startEtcd } from "../../support/servers/etcd_server.ts";
import { createMedium, put, readAll, Told } from "../../support/servers/etcd_medium.ts";

let server: EtcdServer;
let count = 0;

before(async () => {
  server = await startEtcd();
});
after(() => server.close());

/** A prefix of its own for each test. */
async function openMedia(mediaCount: number) {
  count += 1;
  const prefix = `medium-${count}`;
  const ports = server.members.map(({ port }) => port);
  const media = Array.from({ length: mediaCount }, () => createMedium(ports, { prefix }));
  await Promise.all(media.map((medium) => medium.open()));
  return { prefix, media, close: () => Promise.all(media.map((medium) => medium.close())) };
}

test("load() returns version 0 and no rows when nothing was committed", async () => {
  const { media: [medium], close } = await openMedia(1);
  assert.deepEqual(await readAll(medium!), { version: 0, rows: new Map() });
  assert.equal(await medium!.version(), 0);
  await close();
});

test("commit() is done by one of two that expect the same version", async () => {
  const { media: [left, right], close } = await openMedia(2);
  await left!.load();
  await right!.load();
  const told = new Told();
  right!.watch(0, told.listener);
  const done = await Promise.all([
    put(left!, 1, [["a", "left"]]),
    put(right!, 1, [["a", "right"]]),
  ]);
  assert.deepEqual(done.toSorted(), [false, true]);
  const { version, rows } = await readAll(right!);
  assert.equal(version, 1);
  assert.equal(rows.get("a"), done[0] ? "left" : "right");
  await told.until(() => told.changes.length > 0);
  assert.deepEqual(told.changes[0], { version: 1, puts: [["a", rows.get("a")!]], deletes: [] });
  await close();
});

test("watch() reports each commit once and in order, own ones too", async () => {
  const { media: [left, right], close } = await openMedia(2);
  await left!.load();
  await right!.load();
  const [leftTold, rightTold] = [new Told(), new Told()];
  left!.watch(0, leftTold.listener);
  right!.watch(0, rightTold.listener);
  for (let next = 1; next <= 40; next += 1) {
    const medium = next % 3 === 0 ? right! : left!;
    const told = next % 3 === 0 ? rightTold : leftTold;
    await told.until(() => told.changes.length === next - 1);
    assert.ok(await put(medium, next, [[`k${next}`, `${next}`]], next > 1 ? [`k${next - 1}`] : []));
  }
  await leftTold.until(() => leftTold.changes.length === 40);
  await rightTold.until(() => rightTold.changes.length === 40);
  const all = Array.from({ length: 40 }, (_, index) => index + 1);
  assert.deepEqual(leftTold.versions, all);
  assert.deepEqual(rightTold.versions, all);
  assert.deepEqual(rightTold.changes, leftTold.changes);
  assert.deepEqual(await readAll(left!), { version: 40, rows: new Map([["k40", "40"]]) });
  await close();
});

test("commit() takes a thousand rows of some kilobytes, and rows larger than a request, at once", async () => {
  const { media: [left, right], close } = await openMedia(2);
  await left!.load();
  await right!.load();
  const told = new Told();
  right!.watch(0, told.listener);
  // Random hexadecimal: even deflated it takes several requests.
  const chance = (index: number) => {
    let state = index + 1;
    return Array.from({ length: 400 }, () => {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
      return (state >>> 0).toString(16);
    }).join("");
  };
  const puts = Array.from({ length: 1_500 }, (_, index) => [`i/${index}`, chance(index)] as const);
  const large = `"${"ä".repeat(1_200_000)}"`;
  assert.ok(await put(left!, 1, [...puts, ["large", large]]));
  await told.until(() => told.changes.length === 1);
  assert.deepEqual(new Map(told.changes[0]!.puts), new Map([...puts, ["large", large]]));
  const { rows } = await readAll(right!);
  assert.equal(rows.size, 1_501);
  assert.equal(rows.get("large"), large);
  assert.equal(await left!.fold(), 1);
  assert.deepEqual((await readAll(right!)).rows, rows);
  // Smaller, then deleted: no piece of the larger value is left.
  assert.ok(await put(left!, 2, [["large", "1"]]));
  assert.equal(await left!.fold(), 2);
  assert.equal((await readAll(right!)).rows.get("large"), "1");
  assert.ok(await put(left!, 3, [], ["large", ...puts.map(([key]) => key)]));
  assert.equal(await left!.fold(), 3);
  assert.deepEqual((await readAll(right!)).rows, new Map());
  await close();
});

test("commit() refuses more than could be read again", async () => {
  const { media: [medium], close } = await openMedia(1);
  await medium!.load();
  const value = "x".repeat(1_000_000);
  const puts = Array.from({ length: 161 }, (_, index) => [`i/${index}`, value] as const);
  await assert.rejects(put(medium!, 1, puts), (error) => isJobError(error, "resource_exhausted"));
  assert.ok(await put(medium!, 1, puts.slice(0, 100)));
  await close();
});

test("fold() leaves rows, a short log and no part behind, and nothing changes for readers", async () => {
  const { prefix, media: [left, right], close } = await openMedia(2);
  await left!.load();
  for (let next = 1; next <= 30; next += 1) {
    assert.ok(
      await put(
        left!,
        next,
        [[`k${next % 7}`, `${next}`]],
        next % 5 === 0 ? [`k${next % 3}x`] : [],
      ),
    );
  }
  const before = await readAll(right!);
  assert.equal(await left!.fold(), 30);
  assert.deepEqual(await readAll(right!), before);
  const keys = (await server.ctl("get", "--prefix", "--keys-only", `${prefix}/`)).split("\n")
    .filter((key) => key !== "");
  assert.deepEqual(keys.filter((key) => /\/(log|part)\//.test(key)), []);
  assert.equal(keys.filter((key) => key.includes("/row/")).length, 7);
  assert.equal(await left!.fold(), null);
  await close();
});

test("fold() of two nodes at once keeps every row", async () => {
  const { media: [left, right, third], close } = await openMedia(3);
  await left!.load();
  for (let next = 1; next <= 200; next += 1) {
    assert.ok(await put(left!, next, [[`k${next % 50}`, `${next}`]]));
    if (next % 40 === 0) await Promise.all([left!.fold(), right!.fold()]);
  }
  const { rows } = await readAll(third!);
  assert.equal(rows.size, 50);
  for (let key = 0; key < 50; key += 1) {
    assert.equal(rows.get(`k${key}`), String(150 + (key === 0 ? 50 : key)));
  }
  await close();
});

test(`the log is folded by itself after ${FOLD_COMMITS} commits`, async () => {
  const { prefix, media: [medium], close } = await openMedia(1);
  await medium!.load();
  for (let next = 1; next <= FOLD_COMMITS; next += 1) {
    assert.ok(await put(medium!, next, [["k", `${next}`]]));
  }
  await medium!.close();
  const fold = await server.ctl("get", "--print-value-only", `${prefix}/fold`);
  // Nobody is folding any more: the next one begins at once.
  assert.match(fold, /^(0|512)$/);
  const again = createMedium(server.members.map(({ port }) => port), { prefix });
  await again.open();
  assert.deepEqual((await readAll(again)).rows, new Map([["k", `${FOLD_COMMITS}`]]));
  await again.close();
  await close();
});
