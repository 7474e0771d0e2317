import { arch, platform } from "node:os";
import process from "node:process";
import { buildFacts, VERSION } from "../../../platform/version.ts";
import { runtimeName, selfCommand } from "../../../platform/system/runtime.ts";
import { isoText } from "../../output/when.ts";
import type { PlainRecord } from "../../output/view.ts";
import { fieldLines } from "../../views/details.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import type { Verb } from "../../verb/verb.ts";

/** Names of the facts in text for people. */
const LABELS: Readonly<Record<string, string>> = {
  version: "Version",
  commit: "Commit",
  committed_at: "Committed at",
  target: "Target",
  runtime: "Runtime",
  sqlite: "SQLite",
  file: "File",
  file_sha256: "SHA-256",
  signing_key: "Signing key",
};

/** `jobctl version` */
export const SHOW_VERSION: Verb = {
  name: "version",
  summary: "Show the version of this program, and how it was built",
  details: [
    "--verbose adds the commit and its time, the target, the runtime, SQLite, the SHA-256 of the",
    "program's file and the key that signs releases. A program cannot vouch for itself: compare",
    "the SHA-256 with that in the provenance of the release, or verify the downloaded archive",
    "with jobctl verify.",
  ].join(" "),
  options: { verbose: { describe: "Also show how it was built", isFlag: true } },
  examples: [
    ["jobctl version", "Only the version, as with --version"],
    ["jobctl version --verbose", "For a bug report"],
  ],
  isOffline: true,
  async run(args, { printer }) {
    if (!args.flag("verbose")) return await printer.value(VERSION, VERSION);
    const record = await describeProgram();
    const fields = Object.entries(LABELS).map(([key, label]) =>
      [label, makeVisible(String(record[key] ?? "unknown"))] as const
    );
    await printer.details(record, VERSION, fieldLines(fields, printer.columns));
  },
};

async function describeProgram(): Promise<PlainRecord> {
  const build = buildFacts();
  const runtime = runtimeName();
  const key = build?.publicKey ?? null;
  const { hashFile } = await import("../../../tools/verify/verify_file.ts");
  const { readSigningKey } = await import("../../../tools/verify/minisign.ts");
  const [program = process.execPath, ...rest] = selfCommand();
  const file = rest.length === 0 ? program : null;
  return {
    version: VERSION,
    commit: build?.commit && build.commit + (build.isChanged ? " with changes" : ""),
    committed_at: build?.committedAt ? isoText(build.committedAt) : null,
    target: build?.target ?? `${platform()}-${arch()}`,
    runtime: `${runtime} ${process.versions[runtime] ?? "unknown"}`,
    sqlite: process.versions["sqlite"] ?? null,
    file: file ?? "none: runs from source or a package",
    file_sha256: file === null ? null : (await hashFile(file)).sha256,
    signing_key: key === null
      ? "none built in: jobctl verify needs --key"
      : readSigningKey(key, "the key that is built in").id,
  };
}
