// Programs that the tests run, beyond the packages of package.json. `npm test` installs them before
// the first test. Plain Node 20.

/**
 * Debian packages by group, with the programs and files that are used. Words with "|" are
 * alternatives: one of them is enough. The packages of the group "system" are part of every Debian
 * system; "lint" is for `npm run ok`.
 *
 * @type {Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>}
 */
export const GROUPS = {
  system: {
    bash: ["bash"],
    bsdutils: ["script"],
    coreutils: [
      ...["cat", "chown", "echo", "env", "false", "id", "mkfifo", "nice", "printenv", "printf"],
      ...["sh", "sleep", "sort", "true", "wc", "yes"],
    ],
    dash: ["dash"],
    dpkg: ["dpkg-deb"],
    mount: ["mount", "umount"],
    "perl-base": ["perl"],
    "util-linux": ["prlimit", "setpriv", "setsid", "unshare"],
  },
  tools: {
    "ca-certificates": ["/etc/ssl/certs/ca-certificates.crt"],
    curl: ["curl"],
    git: ["git"],
    openssl: ["openssl"],
    procps: ["pgrep", "ps"],
    tmux: ["tmux"],
    tzdata: ["/usr/share/zoneinfo/Europe/Berlin"],
    wget: ["wget"],
    zstd: ["zstd"],
  },
  servers: {
    "etcd-client": ["etcdctl"],
    "etcd-server": ["etcd"],
    "valkey-server": ["valkey-cli", "valkey-server"],
  },
  shells: { "busybox-static": ["busybox"], fish: ["fish"], zsh: ["zsh"] },
  browser: { "chromium-headless-shell": ["chromium-headless-shell|chromium"] },
  // A gRPC client that is not ours speaks to the daemon: Debian's own Python has its packages.
  python: {
    python3: ["/usr/bin/python3"],
    "python3-grpcio": ["/usr/lib/python3/dist-packages/grpc/__init__.py"],
    "python3-protobuf": ["/usr/lib/python3/dist-packages/google/protobuf/__init__.py"],
  },
  // Checks of units, scripts, man pages and packages.
  checks: {
    binutils: ["readelf"],
    "groff-base": ["groff"],
    lintian: ["lintian"],
    mandoc: ["mandoc"],
    minisign: ["minisign"],
    rpm: ["rpm", "rpmbuild"],
    shellcheck: ["shellcheck"],
    systemd: ["systemd-analyze"],
  },
  lint: { "lua-check": ["luacheck"] },
};

/** Debian packages that tests unpack without installing them: cron daemons exclude each other. */
export const UNPACKED = ["busybox", "cron", "cronie", "prometheus", "promtool"];

/** Node versions by major version: the oldest that the packed library supports, and the newest. */
export const NODES = { 22: "22.18.0", 24: "24.21.0" };

/** Nushell's version, which Debian lacks. */
export const NUSHELL = "0.115.1";
