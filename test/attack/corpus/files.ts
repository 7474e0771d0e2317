const MANY_KEYS = Array.from({ length: 10_000 }, (_, index) => `k${index} = 1`).join("\n");

/**
 * Text of a configuration; refused with one problem at least, or accepted. All take less than two
 * seconds.
 */
export const CONFIGS: Readonly<Record<string, readonly [toml: string, outcome: "refused" | "ok"]>> =
  {
    "nothing": ["", "ok"],
    "a byte order mark": ["\ufeff", "ok"],
    "no TOML": ["{ }", "refused"],
    "half a table": ["[jobs.a", "refused"],
    "NUL": ["a\0b = 1", "refused"],
    "ESC in a key": ['"\\u001b[31m" = 1', "refused"],
    "ESC in a kind": ['[jobs."\\u001b[31mx"]\nrun = "true"', "refused"],
    "a turned kind": ['[jobs."\\u202egnp"]\nrun = "true"', "refused"],
    "a kind that shows nothing": ['[jobs."\\u3164"]\nrun = "true"', "refused"],
    "a kind with an invisible mark": ['[jobs."a\\ufe0f"]\nrun = "true"', "refused"],
    "a kind with a line end": ['[jobs."a\\nb"]\nrun = "true"', "refused"],
    "a kind of 1,000 characters": [`[jobs.${"k".repeat(1_000)}]\nrun = "true"`, "refused"],
    ["__proto__"]: ["[__proto__]\nx = 1", "refused"],
    "a job of that name": ["[jobs.__proto__]\nrun = 'true'", "refused"],
    "constructor.prototype": ["[constructor.prototype]\nadmin = true", "refused"],
    "a prototype in env": ['[jobs.a]\nrun = "true"\nenv = { __proto__ = "x" }', "refused"],
    "a key twice": ["timezone = 'UTC'\ntimezone = 'UTC'", "refused"],
    "nesting of 5,000": [`x = ${"[".repeat(5_000)}${"]".repeat(5_000)}`, "refused"],
    "ten thousand unknown keys": [MANY_KEYS, "refused"],
    "an unknown key with ESC": ['[server]\n"po\\u001brt" = 1', "refused"],
    "a line of a megabyte": [`x = "${"a".repeat(1_000_000)}"`, "refused"],
    "numbers beyond": ["[worker]\ncount = 1e999", "refused"],
    "an integer beyond": ["[worker]\ncount = 99999999999999999999", "refused"],
    "not a number": ["[worker]\ncount = nan", "refused"],
    "a duration without unit": ['[worker]\nlease = "15"', "refused"],
    "a duration below zero": ['[worker]\nlease = "-15s"', "refused"],
    "a duration beyond": ['[worker]\nlease = "99999999999999999999h"', "refused"],
    "a duration of 10,000 parts": [`[worker]\nlease = "${"1s".repeat(10_000)}"`, "refused"],
    "a duration that is words": ['[worker]\nlease = "soon"', "refused"],
    "a size beyond": ['[worker]\nrecycle_memory = "99999999999999TB"', "refused"],
    "a zone with ESC": ['timezone = "\\u001b]0;x\\u0007"', "refused"],
    "a zone that is a path": ['timezone = "../../../etc/passwd"', "refused"],
    "a variable without end": ['timezone = "${"', "refused"],
    "a variable in a variable": ['timezone = "${A:-${B}}"', "refused"],
    "a variable that is none": ['timezone = "${a b}"', "refused"],
    "a secret that is a folder": [
      '[jobs.a]\nrun = "true"\nenv = { S = { file = "/" } }',
      "refused",
    ],
    "a secret that is a device": [
      '[jobs.a]\nrun = "true"\nenv = { S = { file = "/dev/zero" } }',
      "refused",
    ],
    "a secret that is not there": [
      '[jobs.a]\nrun = "true"\nenv = { S = { file = "/nonexistent\\u001b" } }',
      "refused",
    ],
    "a secret of two places": [
      '[jobs.a]\nrun = "true"\nenv = { S = { file = "a", env = "B" } }',
      "refused",
    ],
    "a secret of no variable": [
      '[jobs.a]\nrun = "true"\nenv = { S = { env = "NOT_SET_ANYWHERE" } }',
      "refused",
    ],
    "a secret of the prototype": [
      '[jobs.a]\nrun = "true"\nenv = { S = { env = "__proto__" } }',
      "refused",
    ],
    "a variable name with =": ['[jobs.a]\nrun = "true"\nenv = { "A=B" = "x" }', "refused"],
    "a NUL in a command": ['[jobs.a]\ncommand = ["true", "a\\u0000b"]', "refused"],
    "an empty command": ["[jobs.a]\ncommand = []", "refused"],
    "an include of everything": ['include = ["/**"]', "refused"],
    "an include of itself": ['include = ["config.toml"]', "refused"],
    "an include of a device": ['include = ["/dev/zero"]', "refused"],
    "modules that are a file": ['modules = ["/etc/passwd"]', "refused"],
    "a short token": [
      '[server.auth]\ntokens = [{ name = "a", role = "admin", token = "short" }]',
      "refused",
    ],
    "a token of a role that is none": [
      '[server.auth]\ntokens = [{ name = "a", role = "root", token = "0123456789abcdef" }]',
      "refused",
    ],
    "an address for everybody": [
      '[server]\nhost = "0.0.0.0"\n[server.auth]\nmode = "none"',
      "refused",
    ],
    "a port beyond": ["[server]\nport = 65536", "refused"],
    "a socket of 200 characters": [`[server]\nsocket = "/tmp/${"s".repeat(200)}"`, "refused"],
  };

/** URLs of stores that are refused, and never with what may be a password. */
export const STORE_URLS: readonly string[] = [
  "",
  ":",
  "//",
  "memory",
  "memory:x",
  "sqlite:",
  "sqlite::memory:",
  "sqlite:a\0b",
  "http://h",
  "javascript:alert(1)",
  "valkey://",
  "valkey://h:0",
  "valkey://h:65536",
  "valkey://h:99999999999999999999",
  "valkey://h/-1",
  "valkey://h/1e9",
  "valkey://h/0/1",
  "valkey://a,b/0",
  "valkey://u:hunter2@@h",
  "valkey://u:hunter2@h?tls=no",
  "valkey://u:%zzhunter2@h",
  "valkey://u:hunter2:h",
  "valkeys-sentinel://h",
  "etcd://h/path",
  `etcd://${"h,".repeat(200)}h`,
  "etcd://[::1",
  "\x1b]0;x\x07://u:hunter2@h",
  "./store.txt",
];

/**
 * Schedules for `jobctl next`, crontabs for `jobctl import`, and the exit codes that they may end
 * with.
 */
export const OFFLINE: Readonly<
  Record<string, readonly [args: readonly string[], input: string, ...codes: number[]]>
> = {
  "next of ESC": [["next", "\x1b[31m * * * *"], "", 2],
  "next of a date that never comes": [["next", "0 0 30 2 *"], "", 2],
  "next of very many": [["next", "* * * * *", "-n", "999999999"], "", 2],
  "import of nothing": [["import", "crontab", "-"], "", 0, 1, 2],
  "import of ESC": [["import", "crontab", "-"], "* * * * * echo \x1b[31m\n", 0, 1, 2],
  "import of bytes": [["import", "crontab", "-"], "\ufffd\0\u0001 * * * *\n@bogus x\n", 0, 1, 2],
};

/** Modules that define no job: each is told, and harms no other. */
export const MODULES: Readonly<Record<string, string>> = {
  "empty.ts": "",
  "no_syntax.ts": "export default function ( {",
  "no_export.ts": "const x = 1;",
  "a_number.ts": "export default 42;",
  "throws.ts": 'throw new Error("\\x1b[31mred\\u202e\\nforged");',
  "throws_null.ts": "throw null;",
  "throws_proxy.ts": "throw new Proxy({}, { get() { throw 1; } });",
  "exits.ts": "process.exit(0);",
  "aborts.ts": "process.abort();",
  "missing_import.ts": 'import "./\\u001b[31m.ts";',
  "imports_itself.ts": 'import x from "./imports_itself.ts"; export default x;',
  "kind_with_esc.ts": 'export default { kind: "a\\u001b[31m", run() {} };',
  "kind_of_a_page.ts": 'export default { kind: "k".repeat(100_000), run() {} };',
  "two_of_one_kind.ts": 'export default [{ kind: "two", run() {} }, { kind: "two", run() {} }];',
  "a_getter.ts": 'export default { get kind() { throw new Error("no"); }, run() {} };',
  "binary.ts": "\0\u0001\u0002",
};
