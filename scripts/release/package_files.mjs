// Files that a package of a distribution installs beside the program. New ones get a line here.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { projectManifest, withAbsoluteLinks } from "../pack/manifest.mjs";
import { ROOT } from "../tasks.mjs";

const MANIFEST = projectManifest();

/** Maintainer named in the packages. */
export const MAINTAINER = "ts-job maintainers <ts-job@users.noreply.github.com>";

/** Address of the project. */
export const HOMEPAGE = MANIFEST.homepage;

/** Targets that get packages, and the distributions' names of their processors. */
export const ARCHITECTURES = {
  "linux-x64": { deb: "amd64", rpm: "x86_64" },
  "linux-arm64": { deb: "arm64", rpm: "aarch64" },
};

/** Folders for completions; zsh's differs between distributions. */
const COMPLETIONS = {
  "completions/jobctl.bash": () => "usr/share/bash-completion/completions/jobctl",
  "completions/_jobctl": (system) =>
    `usr/share/zsh/${system === "deb" ? "vendor-completions" : "site-functions"}/_jobctl`,
  "completions/jobctl.fish": () => "usr/share/fish/vendor_completions.d/jobctl.fish",
  "completions/jobctl.nu": () => "usr/share/nushell/vendor/autoload/jobctl.nu",
  // PowerShell has no such folder: a profile reads it from here.
  "completions/jobctl.ps1": () => "usr/share/jobctl/jobctl.ps1",
};

/** The file for administrators to change: upgrades keep their changes. */
export const CONFIGURATION = "etc/jobctl/config.toml";

/** The public key of the signature of releases, as a file of minisign. */
export const KEY_FILE = "minisign.pub";

/** The example for them to delete. */
export const EXAMPLE = "etc/jobctl/conf.d/hello.toml";

/** Folders that are empty at first. */
export const EMPTY_FOLDERS = ["etc/jobctl/conf.d", "etc/jobctl/jobs"];

/**
 * The version in deb's and rpm's form, without their own revision: an early version such as
 * 1.0.0-rc.1 sorts before 1.0.0.
 */
export function packageVersion(version = MANIFEST.version) {
  return version.replaceAll("-", "~");
}

/**
 * The files of a package: `{ path, bytes, mode }`, sorted by path.
 *
 * @param system "deb" or "rpm"
 * @param options.program path of the compiled program
 * @param options.notices text of THIRD-PARTY-NOTICES
 * @param options.generated man pages and completions, as `generatedFiles` of generated.ts returns them
 * @param options.keyFile text of minisign.pub; null or absent without a key
 */
export function packageFiles(system, { program, notices, generated, keyFile = null }) {
  const doc = "usr/share/doc/jobctl";
  const files = new Map([
    ["usr/bin/jobctl", readFileSync(program)],
    [`${doc}/THIRD-PARTY-NOTICES`, notices],
    ...(keyFile === null ? [] : [[`${doc}/${KEY_FILE}`, keyFile]]),
    [`${doc}/README.md`, withAbsoluteLinks(read("README.md"))],
    [`${doc}/config.example.toml`, read("config.example.toml")],
    [CONFIGURATION, read("contrib/package/config.toml")],
    // dpkg leaves a deleted file deleted; rpm does not, so its script installs this one.
    [
      system === "deb" ? EXAMPLE : "usr/share/jobctl/hello.toml",
      read("contrib/package/hello.toml"),
    ],
    ["usr/lib/sysusers.d/jobctl.conf", read("contrib/package/sysusers.conf")],
    ["usr/lib/tmpfiles.d/jobctl.conf", read("contrib/package/tmpfiles.conf")],
    ...["jobctl.service", "jobctl-root.service"].map((name) => [
      `usr/lib/systemd/system/${name}`,
      read(`contrib/systemd/${name}`),
    ]),
    ...pages().map((name) => [`${doc}/${name}`, read(`docs/${name}`)]),
    ...[...generated].map(([path, text]) => generatedFile(system, path, text)),
  ]);
  return entriesOf(files);
}

/** Files by path as sorted entries; only the program is executable. */
export function entriesOf(files) {
  return [...files].sort(([a], [b]) => a < b ? -1 : 1).map(([path, content]) => ({
    path,
    bytes: typeof content === "string" ? Buffer.from(content) : content,
    mode: path.startsWith("usr/bin/") ? 0o755 : 0o644,
  }));
}

/** Compressed in Debian's form: at most, and without a name or a time. */
export function gzip(content) {
  return gzipSync(content, { level: 9 });
}

function read(path) {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The pages for users. */
function pages() {
  return readdirSync(join(ROOT, "docs"), { recursive: true })
    .filter((name) => name.endsWith(".md") && name !== "architecture.md");
}

function generatedFile(system, path, text) {
  const place = COMPLETIONS[path];
  if (place !== undefined) return [place(system), text];
  return [`usr/share/man/man${path.at(-1)}/${path.slice("man/".length)}.gz`, gzip(text)];
}
