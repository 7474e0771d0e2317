import assert from "node:assert/strict";
import test from "node:test";
import { EventParser, type StreamEvent } from "../../../src/dashboard/api/event_parser.ts";

test("EventParser reads events from parts cut anywhere", () => {
  const text = "id: 7\nevent: news\ndata: {\ndata:  }\n\n: alive\n\ndata:x\r\n\r\n";
  for (let size = 1; size < text.length; size++) {
    const events: StreamEvent[] = [];
    const parser = new EventParser((event) => events.push(event));
    for (let at = 0; at < text.length; at += size) parser.add(text.slice(at, at + size));
    assert.deepEqual(events, [
      { id: "7", event: "news", data: "{\n }" },
      { id: "7", event: "message", data: "x" },
    ]);
  }
});
