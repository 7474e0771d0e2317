import assert from "node:assert/strict";
import { after } from "node:test";
import { ValkeyWorld } from "../support/servers/valkey_world.ts";
import { exerciseStore } from "./suite.ts";

const world = new ValkeyWorld();
after(() => world.close());

exerciseStore("ValkeyStore", async ({ clock }) => {
  const { server, proxy, makeByProxy } = await world.stores({ clock });
  const store = makeByProxy();
  return {
    store,
    isShared: true,
    another: async () => makeByProxy(),
    async foreign() {
      const keys = ["jobctl", "jobctl:", "jobctl:{other}:rows", "rows"];
      for (const key of keys) await server.cli("SET", key, `of ${key}`);
      return async () => {
        for (const key of keys) assert.equal(await server.cli("GET", key), `of ${key}`);
      };
    },
    async cutNext(when) {
      if (when === "before") proxy.cutBeforeRequest();
      else proxy.cutBeforeAnswer();
    },
    end: () => store.close(),
  };
});
