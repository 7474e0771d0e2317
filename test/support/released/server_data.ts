import type { EtcdServer } from "../servers/etcd_server.ts";
import type { ValkeyServer } from "../servers/valkey_server.ts";

/** Everything that a server holds, as lines of JSON, by key. Bytes are in hexadecimal. */
export type ServerData = readonly string[];

/** Reads every key, by type, without the module of a store. */
const DUMP = `
local function hex(text) return (text:gsub('.', function(c) return ('%02x'):format(c:byte()) end)) end
local keys, lines = redis.call('KEYS', '*'), {}
table.sort(keys)
local read = {
  string = function(key) return {redis.call('GET', key)} end,
  hash = function(key) return redis.call('HGETALL', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  set = function(key) return redis.call('SMEMBERS', key) end,
}
for _, key in ipairs(keys) do
  local kind = redis.call('TYPE', key).ok
  local values = read[kind](key)
  for i = 1, #values do values[i] = '"' .. hex(values[i]) .. '"' end
  if kind == 'set' then table.sort(values) end
  if kind == 'hash' then
    local pairs_of = {}
    for i = 1, #values, 2 do pairs_of[#pairs_of + 1] = values[i] .. ',' .. values[i + 1] end
    table.sort(pairs_of)
    values = pairs_of
  end
  lines[#lines + 1] = '["' .. kind .. '","' .. hex(key) .. '",' .. table.concat(values, ',') .. ']'
end
return table.concat(lines, '\\n')`;

const LOAD = `
local function bytes(text)
  return (text:gsub('..', function(pair) return string.char(tonumber(pair, 16)) end))
end
local line = cjson.decode(ARGV[1])
local kind, key = line[1], bytes(line[2])
local write = {string = 'SET', hash = 'HSET', list = 'RPUSH', set = 'SADD'}
if kind == 'zset' then
  for i = 3, #line, 2 do redis.call('ZADD', key, bytes(line[i + 1]), bytes(line[i])) end
else
  for i = 3, #line, kind == 'hash' and 2 or 1 do
    if kind == 'hash' then redis.call('HSET', key, bytes(line[i]), bytes(line[i + 1]))
    else redis.call(write[kind], key, bytes(line[i])) end
  end
end`;

/** Read everything from a Valkey. */
export async function dumpValkey(server: ValkeyServer): Promise<ServerData> {
  return (await server.cli("eval", DUMP, 0)).trim().split("\n");
}

/** Fill an empty Valkey. */
export async function loadValkey(server: ValkeyServer, data: ServerData): Promise<void> {
  for (const line of data) await server.cli("eval", LOAD, 0, line);
}

interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** Calls an etcd as its gateway offers it: fields are in base64. */
async function callEtcd<T>(server: EtcdServer, method: string, request: unknown): Promise<T> {
  const url = `http://127.0.0.1:${server.members[0]!.port}/v3/kv/${method}`;
  const response = await fetch(url, { method: "POST", body: JSON.stringify(request) });
  if (!response.ok) throw new Error(`etcd: ${await response.text()}`);
  return await response.json() as T;
}

const recoded = (text: string, from: "hex" | "base64", to: "hex" | "base64") =>
  Buffer.from(text, from).toString(to);

/** Read everything from an etcd, but for the keys of nodes, which end with their leases. */
export async function dumpEtcd(server: EtcdServer): Promise<ServerData> {
  const all = recoded("00", "hex", "base64");
  const { kvs } = await callEtcd<{ readonly kvs: readonly KeyValue[] }>(server, "range", {
    key: all,
    range_end: all,
  });
  return kvs
    .filter(({ key }) => !Buffer.from(key, "base64").toString().startsWith("jobctl/node/"))
    .map(({ key, value }) =>
      JSON.stringify([recoded(key, "base64", "hex"), recoded(value, "base64", "hex")])
    );
}

/** Fill an empty etcd. */
export async function loadEtcd(server: EtcdServer, data: ServerData): Promise<void> {
  for (const line of data) {
    const [key, value] = JSON.parse(line) as [string, string];
    await callEtcd(server, "put", {
      key: recoded(key, "hex", "base64"),
      value: recoded(value, "hex", "base64"),
    });
  }
}
