import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { programPath } from "../../../scripts/programs/install.mjs";
import { withTempDir } from "../temp_dir.ts";

/** Python has datagrams of Unix sockets, which Node's modules lack. It writes a line a message. */
const PROGRAM = `
import json, socket, sys
path = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\\0" + path[1:] if path.startswith("@") else path)
print(json.dumps(""), flush=True)
while True:
    print(json.dumps(receiver.recv(8192).decode()), flush=True)
`;

/** A service manager that only listens. */
export interface NotifyReceiver {
  /** Value of NOTIFY_SOCKET. */
  readonly path: string;
  /** All messages so far. */
  readonly messages: readonly string[];
  /** Resolves with the first message after the first `from` ones that matches. */
  received(pattern: RegExp, from?: number): Promise<string>;
}

/** Receive the messages of a service while `use` runs. @param name without it, a file */
export async function withNotifyReceiver<T>(
  use: (receiver: NotifyReceiver) => Promise<T>,
  name?: string,
): Promise<T> {
  return await withTempDir({}, async ({ path: dir }) => {
    const path = name ?? join(dir, "notify");
    const child = spawn(programPath("/usr/bin/python3"), ["-c", PROGRAM, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout });
    const messages: string[] = [];
    try {
      await once(lines, "line");
      lines.on("line", (line) => {
        messages.push(JSON.parse(line));
        lines.emit("message");
      });
      return await use({
        path,
        messages,
        async received(pattern, from = 0) {
          for (;;) {
            const found = messages.slice(from).find((message) => pattern.test(message));
            if (found !== undefined) return found;
            await once(lines, "message");
          }
        },
      });
    } finally {
      child.kill("SIGKILL");
    }
  });
}
