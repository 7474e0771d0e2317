import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";
import { promisify } from "node:util";
import { HTTP_STATUS } from "../../src/core/http_status.ts";
import { pathOf } from "../../src/http/api/openapi/operations.ts";
import { contractRoutes } from "../../src/http/api/routes.ts";
import { JobService } from "../../src/rpc/gen/job_pb.ts";
import { startDaemon } from "../support/processes/daemon.ts";

const PAGE = readFileSync(new URL("../../docs/http.md", import.meta.url), "utf8");
const TOKEN = "token-of-the-page-about-http";
const TOML = `[server.auth]
tokens = [{ name = "page", role = "operator", token = "${TOKEN}" }]
`;
const REPORT = `export default function report(day: string, copies: number = 1): string {
  console.log("writing", day);
  return \`report of \${day}\`;
}
`;
const MARK = "---- next ----";

/** A command of the page, and its output, in which "…" stands for anything. */
interface Example {
  readonly command: string;
  readonly output: string | null;
}

function examples(): Example[] {
  const blocks = /```sh\n([\s\S]*?)```\n(?:\n```(?:json|text)\n([\s\S]*?)```)?/g;
  return [...PAGE.matchAll(blocks)].map(([, command, output]) => ({
    command: command!,
    output: output ?? null,
  }));
}

/** True if a text is what the page shows, whatever its blanks are. */
function isShown(text: string, shown: string): boolean {
  const parts = shown.replaceAll(/\s/g, "").split("…").map(escape);
  return new RegExp(`^${parts.join("[^]*?")}$`).test(text.replaceAll(/\s/g, ""));
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

test("the examples of docs/http.md do what the page says", async () => {
  const daemon = await startDaemon({ toml: TOML, modules: { "report.ts": REPORT } });
  try {
    const all = examples();
    assert.ok(all.length >= 8);
    const script = all.map(({ command }) => command).join(`\necho "${MARK}"\n`)
      .replace("http://127.0.0.1:59052", `http://127.0.0.1:${daemon.httpPort}`);
    const { stdout } = await promisify(execFile)("bash", ["-euc", script], {
      env: { ...process.env, TOKEN },
      timeout: 60_000,
    });
    const outputs = stdout.split(`${MARK}\n`);
    all.forEach(({ command, output }, index) => {
      if (output === null) return assert.doesNotMatch(outputs[index]!, /about:blank/, command);
      assert.ok(isShown(outputs[index]!, output), `${command}\nprinted\n${outputs[index]}`);
    });
  } finally {
    await daemon.stop();
  }
});

test("docs/http.md has every path of the contract, and every status of an error", () => {
  for (const route of contractRoutes()) {
    const path = pathOf(route).replace("/api/v1", "");
    const suffix = route.when === null ? "" : `?${route.when}=30s`;
    const row = `| \`${route.verb} ${path}${suffix}\` | \`${
      JobService.method[route.name].name
    }\` |`;
    assert.ok(PAGE.includes(row), row);
  }
  for (const [code, status] of Object.entries(HTTP_STATUS)) {
    if (code === "canceled" || code === "stale_fence") continue;
    assert.match(PAGE, new RegExp(`^\\| ${status} \\| .*\`${code}\``, "m"), code);
  }
});
