import { rmSync } from "node:fs";
import type { StoreConfig } from "../../core/settings/store_config.ts";
import { createEtcdMedium } from "../etcd/create.ts";
import { createStore, type StoreParts } from "./open_store.ts";
import { keyOf, type RecordKey } from "../records.ts";
import { storeFiles } from "../sqlite/store_files.ts";
import { DROP_SCRIPT } from "../valkey/script/script.ts";
import { createValkeyLink, keyPrefix } from "../valkey/store.ts";

const RECORDS = 500;

/** Delete a store that nobody has open, with its namespace. Other data beside it stays. */
export async function dropStore(config: StoreConfig, parts: StoreParts): Promise<void> {
  const { address } = config;
  switch (address.type) {
    case "memory":
      return;
    case "sqlite":
      for (const file of storeFiles(address.path)) rmSync(file, { force: true });
      return;
    case "etcd": {
      const medium = createEtcdMedium({ ...config, address }, parts);
      await medium.open();
      try {
        await medium.drop();
      } finally {
        await medium.close();
      }
      return;
    }
    case "valkey": {
      const link = createValkeyLink({ ...config, address }, parts);
      await link.open();
      try {
        let cursor = "0";
        do {
          const keys = [keyPrefix(config.prefix)];
          const call = { script: DROP_SCRIPT, keys, args: [cursor], isWrite: true };
          cursor = new TextDecoder().decode(await link.run(call));
        } while (cursor !== "0");
      } finally {
        await link.close();
      }
      return;
    }
    case "module":
      return await removeAll(config, parts);
    default:
      address satisfies never;
  }
}

async function removeAll(config: StoreConfig, parts: StoreParts): Promise<void> {
  const store = createStore(config, parts);
  const at = parts.clock.now();
  await store.open({ at, node: "drop", isMaintenance: true });
  try {
    for (;;) {
      const after: RecordKey = { type: "head" };
      const page = await store.records.readRecords({ after, limit: RECORDS });
      if (page.records.length === 0) return;
      await store.records.removeRecords({ at, keys: page.records.map(keyOf) });
    }
  } finally {
    await store.close();
  }
}
