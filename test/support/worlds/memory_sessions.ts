import type { SessionApi } from "../../../src/manager/sessions/session.ts";
import { Sessions } from "../../../src/manager/sessions/sessions.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import { lazyMethods } from "../../../src/platform/lazy.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";

/** Sessions in a memory store of their own. */
export function memorySessions(clock: Clock): SessionApi {
  const store = new MemoryStore({ defer: (run) => queueMicrotask(run) });
  const opening = store.open({ at: clock.now(), node: "a" });
  return lazyMethods<SessionApi>(async () =>
    new Sessions({
      clock,
      random: systemRandom,
      store: {
        listMemos: async (query) => (await opening, await store.listMemos(query)),
        putMemo: async (request) => (await opening, await store.putMemo(request)),
      },
    })
  );
}
