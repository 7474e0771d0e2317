import assert from "node:assert/strict";
import test, { after } from "node:test";
import { CaseTime } from "../../../src/conformance/index.ts";
import { START, StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { isJobError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { VERSION } from "../../../src/platform/version.ts";
import { STORE_FORMAT } from "../../../src/store/store.ts";
import { ValkeyWorld } from "../../support/servers/valkey_world.ts";

const valkey = new ValkeyWorld();
after(() => valkey.close());

const open = () => ({ at: systemClock.now(), node: "n1" });

/** The format that the head of a store has, and who made it, after `change` in Lua. */
async function headOf(prefix: string, change = ""): Promise<readonly [string, string]> {
  const { server } = await valkey.parts();
  const script = "local head = cmsgpack.unpack(redis.call('GET', KEYS[1])) " + change +
    " redis.call('SET', KEYS[1], cmsgpack.pack(head)) " +
    "return head.format .. ' ' .. (head.made_by or '')";
  const [format = "", madeBy = ""] = (await server.cli("eval", script, 1, `${prefix}head`)).trim()
    .split(" ");
  return [format, madeBy];
}

function isRefusal(beginning: RegExp) {
  return (error: unknown) => {
    assert.ok(isJobError(error, "unavailable"), String(error));
    assert.match(error.message, beginning);
    const versions = `it has format 99 of jobctl 9.8.7; this is jobctl ${VERSION}, which knows`;
    assert.ok(error.message.includes(versions), error.message);
    assert.match(error.hint ?? "", /^Use jobctl 9\.8\.7 or newer\. To go back, restore a backup/);
    return true;
  };
}

test("a store whose format a newer version raises is refused from then on, and written no more", async () => {
  const { make, prefix } = await valkey.stores();
  const store = make();
  await store.open(open());
  const pause = { at: systemClock.now(), kind: "mail", until: null, reason: "x" };
  await store.setPause(pause);
  await headOf(prefix, "head.format, head.made_by = 99, '9.8.7'");
  await assert.rejects(
    store.removePause({ at: systemClock.now(), kind: "mail" }),
    isRefusal(/^Cannot use the store: /),
  );
  await assert.rejects(store.listPauses(), isRefusal(/^Cannot use the store: /));
  await assert.rejects(make().open(open()), isRefusal(/^Cannot open the store valkey:/));
  await headOf(prefix, `head.format = ${STORE_FORMAT}`);
  assert.equal((await store.listPauses()).length, 1);
  await store.close();
});

test("open() gives data of an older format its own, unless it only looks", async () => {
  const { make, prefix } = await valkey.stores();
  const first = make();
  await first.open(open());
  await first.close();
  assert.deepEqual(await headOf(prefix), [`${STORE_FORMAT}`, VERSION]);
  await headOf(prefix, `head.format, head.made_by = ${STORE_FORMAT - 1}, nil`);
  const looking = make();
  await looking.open({ ...open(), isMaintenance: true });
  await looking.close();
  assert.deepEqual(await headOf(prefix), [`${STORE_FORMAT - 1}`, ""]);
  const second = make();
  assert.equal((await second.open(open())).format, STORE_FORMAT);
  await second.close();
  assert.deepEqual(await headOf(prefix), [`${STORE_FORMAT}`, VERSION]);
});

test("retain() indexes the ticks without a run that an earlier version recorded", async () => {
  const time = new CaseTime();
  const { make, prefix, server } = await valkey.stores({ clock: () => time.at });
  const store = make();
  await store.open(open());
  const world = new StoreWorld(store, { store }, time);
  await world.putSchedule();
  await world.store.setPause({ at: world.at, kind: "mail", until: null, reason: "" });
  const ticks = Array.from({ length: 1_010 }, (_, index) => START + (index + 1) * 60_000);
  for (let from = 0; from < ticks.length; from += 101) {
    world.wallMs = ticks[from + 100]!;
    await world.fire(ticks[from - 1] ?? START, ticks.slice(from, from + 101));
  }
  const span = { after: START, before: world.wallMs + 1, limit: 1_000 };
  const count = async () => {
    const pages = [await store.listGaps(span), await store.listGaps({ ...span, skip: 1_000 })];
    return pages.flat().length;
  };
  assert.equal(await count(), ticks.length);
  await server.cli("del", `${prefix}gaps`);
  await headOf(prefix, "head.gaps = nil");
  assert.equal(await count(), 0);
  for (const indexed of [1_000, ticks.length, ticks.length]) {
    await store.retain({ at: world.at, limit: 10 });
    assert.equal(await count(), indexed);
  }
  await store.close();
});
