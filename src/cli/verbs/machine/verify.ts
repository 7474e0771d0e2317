import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { countText } from "../../../core/text/count_text.ts";
import { makeVisible } from "../../../core/text/safe_text.ts";
import { buildFacts } from "../../../platform/version.ts";
import type { VerifiedFile } from "../../../tools/verify/verify_file.ts";
import { type Args, usageError } from "../../parsing/args.ts";
import type { Verb } from "../../verb/verb.ts";

/** The words that minisign's public keys begin with: `Ed` in base64. */
const KEY_BEGINNING = /^RW[A-Za-z0-9+/=]+$/;

/** `jobctl verify` */
export const VERIFY: Verb = {
  name: "verify",
  summary: "Verify the signature and the SHA-256 of a downloaded release file",
  details: [
    "If FILE.minisig is beside the file, that signature is checked. Otherwise the file's SHA-256",
    "must be in SHA256SUMS of the same folder, and SHA256SUMS.minisig is checked. For SHA256SUMS",
    "itself, every listed file that is in the folder is also checked. Signatures are those of",
    "minisign. Exit codes: 0 the file is the one that was signed, 5 it is not, 4 a file is missing,",
    "2 a key or signature cannot be read.",
  ].join(" "),
  words: [{ name: "FILE", describe: "File to verify", offers: "file" }],
  options: {
    key: {
      value: "KEY",
      describe:
        "minisign public key, or the .pub file that holds it (default: the one built into this program)",
      offers: "file",
      env: "JOBCTL_PUBLIC_KEY",
    },
  },
  examples: [
    ["jobctl verify jobctl-0.1.0-linux-x64.tar.zst", "A download, with SHA256SUMS beside it"],
    ["jobctl verify SHA256SUMS --key minisign.pub", "Every file of the folder, with another key"],
  ],
  isOffline: true,
  async run(args, { printer, io }) {
    const { readSigningKey } = await import("../../../tools/verify/minisign.ts");
    const { verifyFile } = await import("../../../tools/verify/verify_file.ts");
    const { text, what } = await readKey(args, io.cwd);
    const path = resolve(io.cwd, args.word("FILE"));
    const file = await verifyFile(path, readSigningKey(text, what));
    const { keyId, comment, sha256, matching, absent } = file;
    await printer.details(
      {
        file: path,
        signature: file.signature,
        key: keyId,
        comment,
        sha256,
        matching: [...matching],
        absent: [...absent],
      },
      path,
      linesOf(path, file),
    );
  },
};

function linesOf(path: string, file: VerifiedFile): string[] {
  const { signature, keyId, comment, sha256, matching, absent } = file;
  const visible = makeVisible(comment);
  return [
    `${makeVisible(path)} was signed with the key ${keyId}`,
    `  signature  ${makeVisible(signature)}`,
    `  comment    ${visible}`,
    `  SHA-256    ${sha256}`,
    ...matching.map((name) => `  matches    ${makeVisible(name)}`),
    ...(absent.length === 0
      ? []
      : [`  ${countText(absent.length, "listed file")} not in this folder`]),
  ];
}

/** The public key, and its name in errors. A value that names an existing file is a file. */
async function readKey(args: Args, cwd: string): Promise<{ text: string; what: string }> {
  const given = args.text("key");
  if (given === undefined) {
    const text = buildFacts()?.publicKey ?? null;
    if (text !== null) return { text, what: "the built-in key" };
    throw usageError(
      "Cannot verify without a public key: none is built into this program",
      "Give the key of the release with --key or JOBCTL_PUBLIC_KEY",
    );
  }
  if (KEY_BEGINNING.test(given)) return { text: given, what: `the key "${given}"` };
  const path = resolve(cwd, given);
  if (!existsSync(path)) {
    throw usageError(
      `Cannot read the key "${given}": neither a public key of minisign nor a file`,
      "Give the line that begins with RW, or the .pub file that holds it",
    );
  }
  const { readText } = await import("../../../tools/verify/verify_file.ts");
  const { SIGNATURE_BYTES_MAX } = await import("../../../tools/verify/minisign.ts");
  return { text: readText(path, SIGNATURE_BYTES_MAX), what: `the key in ${basename(path)}` };
}
