import { systemClock } from "../../../src/platform/clock.ts";
import {
  keyPrefix,
  valkeyStore,
  type ValkeyStoreOptions,
} from "../../../src/store/valkey/store.ts";
import { linkTo } from "../../store/valkey/valkey_link_world.ts";
import { type CuttingProxy, startCuttingProxy } from "./cutting_proxy.ts";
import { startValkey, type ValkeyServer } from "./valkey_server.ts";

/**
 * A server that the tests of a file share, with a proxy before it and a namespace for each of them.
 */
export class ValkeyWorld {
  #parts: Promise<{ readonly server: ValkeyServer; readonly proxy: CuttingProxy }> | null = null;
  #count = 0;

  /** The server and the proxy, started when they are first asked for. */
  parts() {
    this.#parts ??= startValkey().then(async (server) => ({
      server,
      proxy: await startCuttingProxy(server.port),
    }));
    return this.#parts;
  }

  /** Makes connections to a namespace that nobody used; none is open yet. */
  async stores(options: Pick<ValkeyStoreOptions, "clock" | "defer"> = {}) {
    const { server, proxy } = await this.parts();
    const namespace = `test ${this.#count++}`;
    const prefix = keyPrefix(namespace);
    const connect = (port: number) => {
      // A broken connection is tried again at once.
      const limits = { retry: { firstMs: 1, longestMs: 20, refusedMs: 1_000 } };
      const link = linkTo(`valkey://127.0.0.1:${port}`, { key: prefix, limits });
      return valkeyStore({ link, namespace, defer: systemClock.defer, ...options });
    };
    return {
      ...{ server, proxy, prefix },
      make: () => connect(server.port),
      makeByProxy: () => connect(proxy.port),
    };
  }

  async close(): Promise<void> {
    if (!this.#parts) return;
    const { server, proxy } = await this.#parts;
    await proxy.close();
    await server.close();
    this.#parts = null;
  }
}
