import assert from "node:assert/strict";
import { test } from "node:test";
import { newsDetail } from "../../../src/core/notices/news_detail.ts";

const ZONE = "Europe/Berlin";
const AT = Date.UTC(2026, 6, 1, 22, 0);

test("newsDetail() says in words and in the zone which ticks were missed", () => {
  const detail = (to: number, count: number) =>
    newsDetail({ event: "missed", detail: JSON.stringify({ from: AT, to, count }) }, ZONE);
  assert.equal(detail(AT, 1), "due 2026-07-02 00:00:00 +02:00");
  assert.equal(
    detail(AT + 3_600_000, 2),
    "2 runs, due from 2026-07-02 00:00:00 +02:00 to 2026-07-02 01:00:00 +02:00",
  );
});

test("newsDetail() shows the times in a text in the zone, and keeps the rest", () => {
  const text = "no success for 2h, the last at 2026-07-01T22:00:00.000Z; expected every 1h";
  assert.equal(
    newsDetail({ event: "missed", detail: text }, ZONE),
    "no success for 2h, the last at 2026-07-02 00:00:00 +02:00; expected every 1h",
  );
  assert.equal(newsDetail({ event: "terminated", detail: null }, ZONE), null);
});
