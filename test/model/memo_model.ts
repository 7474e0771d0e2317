import type { Instance } from "../../src/core/instance.ts";
import { isFinal } from "../../src/core/state.ts";
import {
  type AddNews,
  type Memo,
  type News,
  NEWS_KIND,
  NEWS_MAX,
  type PutMemo,
} from "../../src/store/store.ts";

/** Memos and what follows from them, written from the contract, as simple as possible. */
export class MemoModel {
  memos = new Map<string, Memo>();
  /** How many instances were accepted to process the news of each memo. */
  readonly notices = new Map<string, number>();
  /** Ids of the instances that requests brought. */
  readonly ids = new Set<string>();
  /**
   * Memos of which it is not promised which news wait: one operation added more than fit, or ended
   * both failures and successes, and the latter are news only behind the former.
   */
  readonly loose = new Set<string>();

  /** @returns the memo; undefined if the version is another, and nothing happens */
  put(request: Omit<PutMemo, "at">) {
    const { key, expectedVersion, value, isProcessed, instances, droppedNews = 0 } = request;
    const there = this.memos.get(key);
    if ((there?.version ?? null) !== expectedVersion) return undefined;
    for (const { id } of instances) this.ids.add(id);
    if (value === null) {
      this.memos.delete(key);
      return null;
    }
    const memo: Memo = {
      ...{ key, version: (there?.version ?? 0) + 1, ...value },
      news: isProcessed ? [] : there?.news ?? [],
      droppedNews: Math.max(0, (there?.droppedNews ?? 0) - (isProcessed ? droppedNews : 0)),
    };
    this.memos.set(key, memo);
    return memo;
  }

  add({ key, news, noticeId }: Omit<AddNews, "at" | "noticeId"> & { readonly noticeId?: string }) {
    const there = this.memos.get(key) ??
      { key, version: 0, watch: "failures", data: "", news: [], droppedNews: 0 } as const;
    const waiting = new Map(there.news.map((one) => [one.id, one]));
    const fresh = new Map(news.filter(({ id }) => !waiting.has(id)).map((one) => [one.id, one]));
    if (fresh.size === 0) return 0;
    const all = [...waiting.values(), ...fresh.values()];
    this.memos.set(key, {
      ...there,
      version: there.version + (waiting.size < NEWS_MAX ? 1 : 0),
      watch: there.watch === "failures" && key.startsWith("job:") ? "ends" : there.watch,
      news: all.slice(0, NEWS_MAX),
      droppedNews: there.droppedNews + Math.max(0, all.length - NEWS_MAX),
    });
    if (waiting.size === 0 && !(noticeId !== undefined && this.ids.has(noticeId))) {
      this.notices.set(key, (this.notices.get(key) ?? 0) + 1);
      if (noticeId !== undefined) this.ids.add(noticeId);
    }
    return fresh.size;
  }

  remove(prefix: string, limit: number): number {
    const keys = [...this.memos.keys()].filter((key) => key.startsWith(prefix)).sort();
    for (const key of keys.slice(0, limit)) this.memos.delete(key);
    return Math.min(keys.length, limit);
  }

  /** Which ends of a kind are news. */
  #watchOf(kind: string): Memo["watch"] {
    const isWatched = [...this.memos.keys()].some((key) => key.startsWith("watcher:"));
    if (!isWatched || kind === NEWS_KIND) return "never";
    return this.memos.get(`job:${kind}`)?.watch ?? "failures";
  }

  /** One operation ended these instances. */
  end(instances: readonly Instance[]): void {
    for (const { id, kind, state: event, reason: detail, settledAt } of instances) {
      if (!isFinal(event) || event === "canceled") continue;
      const watch = this.#watchOf(kind);
      const key = `job:${kind}`;
      const isFirst = watch === "failures" && event !== "completed";
      const hasSuccess = instances.some((one) => one.kind === kind && one.state === "completed");
      if (isFirst && hasSuccess) this.loose.add(key);
      if (watch === "never" || (event === "completed" && watch !== "ends")) continue;
      this.add({ key, news: [{ id, event, at: settledAt!, instanceId: id, detail }] });
      if (this.memos.get(key)!.droppedNews > 0 && instances.length > 1) this.loose.add(key);
    }
  }

  /** A step of a schedule missed a tick. */
  miss(kind: string, scheduleId: string, tick: number, at: number): void {
    if (this.#watchOf(kind) === "never") return;
    const detail = JSON.stringify({ schedule: scheduleId, from: tick, to: tick, count: 1 });
    const id = `missed:${scheduleId}:${tick}`;
    const news: News = { id, event: "missed", at, instanceId: null, detail };
    this.add({ key: `job:${kind}`, news: [news] });
  }
}
