import { MEMO_KEY_LENGTH_MAX } from "../ledger/checks.ts";
import type { MemoRange, MemoTable } from "../ledger/tables/tables.ts";
import type { Memo, MemoWatch, News } from "../store.ts";
import { SqliteTable } from "./kinds.ts";
import { readStored } from "./error.ts";
import type { Fields } from "./statements.ts";

/** No key comes after it: the last code point, more often than the longest key could have it. */
const LAST_KEY = "\u{10ffff}".repeat(MEMO_KEY_LENGTH_MAX);

/** The table `memo`. */
export class SqliteMemos extends SqliteTable implements MemoTable {
  get(key: string): Memo | null {
    const found = this.statements.get("SELECT * FROM memo WHERE key = ?", [key]);
    return found ? readMemo(found) : null;
  }

  list({ prefix, after, limit }: MemoRange): readonly Memo[] {
    return this.statements.all(
      "SELECT * FROM memo WHERE key >= ? AND key <= ? AND key > ? ORDER BY key LIMIT ?",
      [prefix, `${prefix}${LAST_KEY}`, after ?? "", limit],
    ).map(readMemo);
  }

  save({ key, version, watch, data, news, droppedNews }: Memo): void {
    this.statements.run(
      `INSERT OR REPLACE INTO memo (key, version, watch, data, news, dropped)
       VALUES (?, ?, ?, ?, ?, ?)`,
      [key, version, watch, data, JSON.stringify(news), droppedNews],
    );
  }

  remove(key: string): void {
    this.statements.run("DELETE FROM memo WHERE key = ?", [key]);
  }

  watches(): ReadonlyMap<string, MemoWatch> {
    const found = this.statements.all("SELECT key, watch FROM memo WHERE watch <> 'failures'");
    return new Map(found.map(({ key, watch }) => [key as string, watch as MemoWatch]));
  }
}

function readMemo({ key, version, watch, data, news, dropped }: Fields): Memo {
  return {
    key: key as string,
    version: version as number,
    watch: watch as MemoWatch,
    data: data as string,
    news: readStored<News[]>(news as string, ["memo", key as string]),
    droppedNews: dropped as number,
  };
}
