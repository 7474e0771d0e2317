import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { type Figures, scaled, type Scenario, type Settings } from "../scenario.ts";
import { scratchStore } from "../scratch_store.ts";
import { rateOf } from "../statistics.ts";

const INSERTS = 5_000;

async function measure(settings: Settings): Promise<Figures> {
  const scratch = await scratchStore("sqlite:");
  const db = new DatabaseSync(join(scratch.dir, "bare.db"));
  try {
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = FULL");
    db.exec(
      "CREATE TABLE job (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, arguments TEXT NOT NULL)",
    );
    const insert = db.prepare("INSERT INTO job (kind, arguments) VALUES (?, ?)");
    const count = scaled(settings, INSERTS, 100);
    const rate = await rateOf(count, async () => {
      for (let done = 0; done < count; done++) insert.run("noop", "[]");
    });
    return { rate };
  } finally {
    db.close();
    await scratch.clean();
  }
}

/** What the disk allows who waits for it with each job. */
export const DISK: readonly Scenario[] = [{
  name: "bare-insert",
  about: "rows a second into a bare SQLite table, each durable: what the disk allows",
  usesStore: false,
  figures: [{ name: "rate", unit: "rows/s", better: "higher" }],
  run: measure,
}];
