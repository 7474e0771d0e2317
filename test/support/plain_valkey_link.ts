import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import type { ScriptCall, ValkeyLink } from "../../src/store/valkey/link.ts";

type Reply = string | number | null | Error | Buffer | readonly Reply[];

/** A connection to a server, without anything that a broken one would need. */
class PlainConnection {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  readonly #waiting: ((reply: Reply) => void)[] = [];
  hear: ((channel: string, message: Buffer) => void) | null = null;

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (data: Buffer) => this.#take(data));
    this.#socket.on("error", () => {});
  }

  send(parts: readonly (string | Uint8Array)[]): Promise<Reply> {
    const pieces: Buffer[] = [Buffer.from(`*${parts.length}\r\n`)];
    for (const part of parts) {
      const bytes = Buffer.from(part as string);
      pieces.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
    }
    this.#socket.write(Buffer.concat(pieces));
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(data: Buffer): void {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    for (;;) {
      const found = parse(this.#rest, 0);
      if (!found) return;
      this.#rest = this.#rest.subarray(found.end);
      const { reply } = found;
      if (Array.isArray(reply) && String(reply[0]) === "message") {
        this.hear?.(String(reply[1]), reply[2] as Buffer);
      } else this.#waiting.shift()!(reply);
    }
  }
}

function parse(bytes: Buffer, start: number): { reply: Reply; end: number } | null {
  const line = bytes.indexOf("\r\n", start);
  if (line < 0) return null;
  const text = bytes.toString("utf8", start + 1, line);
  const next = line + 2;
  switch (String.fromCharCode(bytes[start]!)) {
    case "+":
      return { reply: text, end: next };
    case "-":
      return { reply: new Error(text), end: next };
    case ":":
      return { reply: Number(text), end: next };
    case "$": {
      const length = Number(text);
      if (length < 0) return { reply: null, end: next };
      const end = next + length + 2;
      return bytes.length < end ? null : { reply: bytes.subarray(next, next + length), end };
    }
    default: {
      const items: Reply[] = [];
      let end = next;
      for (let left = Number(text); left > 0; left--) {
        const item = parse(bytes, end);
        if (!item) return null;
        items.push(item.reply);
        end = item.end;
      }
      return { reply: items, end };
    }
  }
}

/** A plain link to the server on a port. */
export function plainLink({ port }: { readonly port: number }): ValkeyLink {
  const known = new Set<string>();
  let client: PlainConnection;
  let listener: PlainConnection;
  return {
    location: `valkey://127.0.0.1:${port}`,
    isDurable: true,
    problem: null,
    greet() {},
    async open() {
      client = new PlainConnection(port);
      listener = new PlainConnection(port);
    },
    async run({ script, keys, args }: ScriptCall) {
      const isKnown = known.has(script.sha1);
      known.add(script.sha1);
      const head = isKnown ? ["EVALSHA", script.sha1] : ["EVAL", script.text];
      const reply = await client.send([...head, String(keys.length), ...keys, ...args]);
      if (reply instanceof Error) throw reply;
      return reply as Buffer;
    },
    async subscribe(channel, hear) {
      listener.hear = (from, message) => from === channel && hear(message);
      await listener.send(["SUBSCRIBE", channel]);
      return async () => {};
    },
    onReconnect: () => () => {},
    async close() {
      client.close();
      listener.close();
    },
  };
}
