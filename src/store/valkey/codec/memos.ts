import { type MissedTicks, newsOfMissed, storableNews } from "../../ledger/operations/memos.ts";
import type { Memo, MemoWatch, News } from "../../store.ts";
import { type Packable, Tuple, Unpacker } from "./msgpack.ts";

const NEWS = new Tuple<News>(["id", "event", "at", "instanceId", "detail"]);

/** News in the form of the script. */
export function packNews(news: News): Packable {
  return NEWS.pack(storableNews(news));
}

/** Missed ticks as news in the form of the script: their id, detail and notice. */
export function packNewsOfMissed(missed: MissedTicks): Packable {
  const { id, detail, noticeId } = newsOfMissed(missed);
  return [id, detail, noticeId];
}

/** Read a memo: its key, the script's part of it, its text and its news. */
export function readMemo(from: Unpacker): Memo {
  const key = from.text();
  const [version, watch, droppedNews] = from.read() as [number, MemoWatch, number];
  const data = from.text();
  const placed = from.items(1, () => readNews(from.bytes()!));
  placed.sort((left, right) => left.order - right.order);
  return { key, version, watch, data, news: placed.map(({ news }) => news), droppedNews };
}

function readNews(bytes: Uint8Array): { readonly order: number; readonly news: News } {
  const [order, ...news] = new Unpacker(bytes).read() as readonly [number, ...unknown[]];
  return { order, news: NEWS.read(news) };
}
