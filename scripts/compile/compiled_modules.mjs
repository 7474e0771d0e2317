// The modules inside a compiled file, and the ones with bytecode. Plain Node 20.

const TRAILER = Buffer.from("\n---- Bun! ----\n");
/** Before the trailer: size of the data, place and size of the table of modules, and more. */
const OFFSETS_BYTES = 32;
/** Six places (name, source, map, bytecode, information, origin) and four small values. */
const RECORD_BYTES = 52;
const PLACES = 6;
const BYTECODE = 3;
/** Bytecode begins at such addresses. */
const ALIGNMENT = 128;

/**
 * Code not worth compiling ahead of time: rare commands that take longer than the few milliseconds
 * in which their source is read; the parts that write a mail; and a browser's first requests.
 */
const RARE = [
  /^src\/(?:maintenance\/(?!work\.ts)|selftest\/|tools\/(?!check\.ts|load_project\.ts))/,
  /^src\/(?:cli\/top\/|cli\/screen\/|cli\/docs\/|cli\/completion\/shell_script|cli\/verbs\/schedules\/simulate|rpc\/server\/reflection)/,
  /^src\/(?:http\/api\/openapi|http\/site|manager\/timeline)\//,
  /^node_modules\/nodemailer\//,
];

/**
 * Remove the bytecode of rarely used code from a compiled file; its source stays. In ELF, the file
 * gets smaller; in a program for Windows, zeros remain. Programs for macOS are signed, and small.
 *
 * @param program bytes of the compiled file
 * @param metafile Bun's list of its modules
 * @returns the bytes of the new file
 * @throws Error if the file does not have this version's form
 */
export function withoutRareBytecode(program, metafile) {
  const isElf = program.toString("latin1", 1, 4) === "ELF";
  if (!isElf && program.toString("latin1", 0, 2) !== "MZ") return program;
  const graph = graphOf(program);
  const rare = new Set(rareChunks(metafile));
  const unused = [];
  for (const record of graph.records) {
    if (!rare.delete(record.name)) continue;
    const [start, size] = record.places[BYTECODE];
    program.fill(0, graph.start + start, graph.start + start + size);
    record.places[BYTECODE] = [0, 0];
    unused.push([start, size - size % ALIGNMENT]);
  }
  if (rare.size > 0) throw new Error(`The compiled file lacks ${[...rare].join(", ")}: ${NAME}`);
  unused.sort(([a], [b]) => a - b);
  const removed = isElf ? unused : [];
  writeGraph(program, graph, removed);
  return removed.length === 0 ? program : shortened(program, graph, removed);
}

/** Names of the chunks that no other code loads at once. */
function rareChunks({ outputs }) {
  const isRare = ({ entryPoint }) => RARE.some((pattern) => pattern.test(entryPoint));
  const waiting = Object.entries(outputs)
    .filter(([, output]) => output.entryPoint && !isRare(output)).map(([path]) => path);
  const used = new Set();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (used.has(path)) continue;
    used.add(path);
    const imports = outputs[path].imports.filter(({ kind }) => kind !== "dynamic-import");
    waiting.push(...imports.map((one) => one.path).filter((one) => one in outputs));
  }
  return Object.keys(outputs).filter((path) => !used.has(path)).map((path) => path.slice(2));
}

/** Location of the modules. Places are offsets in the data, and sizes. */
function graphOf(program) {
  const end = program.lastIndexOf(TRAILER) - OFFSETS_BYTES;
  const size = end < 0 ? 0 : Number(program.readBigUInt64LE(end));
  const start = end - size;
  const total = start < 8 ? 0n : program.readBigUInt64LE(start - 8);
  if (size === 0 || total !== BigInt(size + OFFSETS_BYTES + TRAILER.length)) {
    throw new Error(`The compiled file has its modules elsewhere: see ${NAME}`);
  }
  const [table, tableBytes] = placeAt(program, end + 8);
  const records = [];
  for (let at = start + table; at < start + table + tableBytes; at += RECORD_BYTES) {
    const places = Array.from({ length: PLACES }, (_, index) => placeAt(program, at + 8 * index));
    const [from, length] = places[0];
    const path = program.toString("utf8", start + from, start + from + length);
    records.push({ at, places, name: path.slice(path.lastIndexOf("/") + 1) });
  }
  return { start, end, size, records };
}

function placeAt(program, at) {
  return [program.readUInt32LE(at), program.readUInt32LE(at + 4)];
}

/** Write the places without the removed ranges. */
function writeGraph(program, { start, end, size, records }, removed) {
  const write = (at, [offset, length]) => {
    const before = removed.filter(([from]) => from < offset);
    program.writeUInt32LE(offset - bytesOf(before), at);
    program.writeUInt32LE(length, at + 4);
  };
  for (const { at, places } of records) {
    places.forEach((place, index) => write(at + 8 * index, place));
  }
  // The table of modules, and the arguments of the program.
  for (const at of [end + 8, end + 20]) write(at, placeAt(program, at));
  program.writeBigUInt64LE(BigInt(size - bytesOf(removed)), end);
  const total = size - bytesOf(removed) + OFFSETS_BYTES + TRAILER.length;
  program.writeBigUInt64LE(BigInt(total), start - 8);
}

function bytesOf(ranges) {
  return ranges.reduce((sum, [, size]) => sum + size, 0);
}

/** The ELF file without ranges of its section `.bun`, the last loaded one. */
function shortened(program, { start, end }, removed) {
  const less = BigInt(bytesOf(removed));
  const change = (at) => program.writeBigUInt64LE(program.readBigUInt64LE(at) - less, at);
  const contains = (offset, size) => offset < BigInt(end) && offset + size > BigInt(start);
  const headers = (tableAt, sizeAt, countAt) => {
    const table = Number(program.readBigUInt64LE(tableAt));
    const size = program.readUInt16LE(sizeAt);
    return Array.from({ length: program.readUInt16LE(countAt) }, (_, i) => table + i * size);
  };
  for (const at of headers(32, 54, 56)) {
    // Offset, sizes in the file and in memory.
    if (!contains(program.readBigUInt64LE(at + 8), program.readBigUInt64LE(at + 32))) continue;
    if (program.readBigUInt64LE(at + 32) !== program.readBigUInt64LE(at + 40)) {
      throw new Error(`The compiled file has memory after its modules: see ${NAME}`);
    }
    change(at + 32);
    change(at + 40);
  }
  for (const at of headers(40, 58, 60)) {
    const [offset, size] = [program.readBigUInt64LE(at + 24), program.readBigUInt64LE(at + 32)];
    const isWithoutBytes = program.readUInt32LE(at + 4) === 8;
    if (isWithoutBytes) continue;
    if (offset >= BigInt(end)) change(at + 24);
    else if (contains(offset, size)) change(at + 32);
  }
  // The table of sections.
  change(40);
  const kept = [];
  let from = 0;
  for (const [offset, size] of removed) {
    kept.push(program.subarray(from, start + offset));
    from = start + offset + size;
  }
  return Buffer.concat([...kept, program.subarray(from)]);
}

const NAME = "scripts/compile/compiled_modules.mjs";
