/**
 * An HTTP server that reads JSON and responds with JSON, for the bare cost of node:http; prints its
 * port. Ends with its input.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** As long as the response to a scheduled job. */
const INSTANCE = {
  kind: "noop",
  id: "01a22036-1742-7000-96aa-f4c26f91c4b1",
  state: "scheduled",
  created_at: "2026-11-28T03:32:25.538Z",
  scheduled_at: "2026-11-28T03:32:25.538Z",
  attempts: 0,
  priority: 5,
  due_at: "2026-11-28T03:32:25.538Z",
  fence: 0,
  failures: 0,
  crashes: 0,
  max_retries: 0,
  timeout_ms: 0,
};

const server = createServer((request, response) => {
  const chunks: Uint8Array[] = [];
  request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  request.on("end", () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { arguments?: unknown };
    const text = JSON.stringify({ instance: { ...INSTANCE, arguments: body.arguments ?? [] } });
    response.writeHead(201, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    });
    response.end(text);
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
process.stdin.resume().once("end", () => process.exit(0));
