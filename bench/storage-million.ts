/**
 * A node with a million records of 1 KiB: how long it takes to start, and what memory it holds
 * after random gets all over its disk. Takes some minutes and 1.3 GB of the folder for temporary
 * files.
 *
 * Run: `npm run -s bench -- storage-million`, or after that
 * `node bench/dist/bench/storage-million.js RECORDS`. The node runs as it is installed.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SeededRandom } from "../src/base/index.ts";
import { connectMap, LevelRecordStore, type MapRecord, SEQUENCE } from "../src/mapservice/index.ts";
import { wholeNumber } from "./command-line.ts";
import { atMost, check, printTable, writeResults } from "./harness.ts";

const usage = "node bench/dist/bench/storage-million.js [RECORDS]";
const [recordsWord = "1000000"] = process.argv.slice(2);
const RECORDS = wholeNumber(recordsWord, { name: "RECORDS", min: 1, max: 1e9, usage });
const PAYLOAD_SIZE = 1_024;
const BATCH = 500;
const GETS = 50_000;
const BUILT = pathToFileURL(resolve("dist/mapservice/index.js"));
/** The node as a program: says `ready`, and ends when its input does. */
const PROGRAM = `
  import { startMapServer } from ${JSON.stringify(BUILT.href)};
  const [socket, directory, payloadSize] = process.argv.slice(1);
  const listen = ["unix:" + socket];
  const server = await startMapServer({ listen, directory, payloadSize: Number(payloadSize) });
  process.stdout.write("ready");
  process.stdin.resume();
  process.stdin.once("end", () => server.close());
`;

const folder = mkdtempSync(join(tmpdir(), "culvert-million-"));
const payload = new SeededRandom(1).bytes(PAYLOAD_SIZE);
const signature = new SeededRandom(2).bytes(64);

function recordOf(index: number): MapRecord {
  const address = new SeededRandom(index).bytes(32);
  return { address, signature, seq: SEQUENCE.cell, ttlSeconds: 1, payload };
}

/** Fills the store as a node does, some hundred records at a time; microseconds for each. */
async function fill(): Promise<number> {
  const store = await LevelRecordStore.open({
    path: join(folder, "data", "records"),
    payloadSize: PAYLOAD_SIZE,
    entriesMax: RECORDS,
    bytesMax: 2 ** 40,
  });
  const from = performance.now();
  const nowMs = Date.now();
  for (let at = 0; at < RECORDS; at += BATCH) {
    const expiresMs = nowMs + 86_400_000 + at;
    const puts = Array.from({ length: BATCH }, (_, i) => ({ record: recordOf(at + i), expiresMs }));
    const outcomes = await store.put(puts, nowMs);
    check(
      outcomes.every(({ kind }) => kind === "stored"),
      "every record is stored",
    );
  }
  const us = ((performance.now() - from) * 1_000) / RECORDS;
  await store.close();
  return us;
}

function memoryMiB(pid: number | undefined, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const [, kib] = new RegExp(`${field}:\\s+(\\d+)`).exec(status) ?? [];
  return Number(kib) / 1_024;
}

function diskBytes(path: string): number {
  return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

try {
  const fillUs = await fill();
  const disk = diskBytes(join(folder, "data", "records"));
  const idling = performance.now();
  spawnSync(process.execPath, ["-e", "0"]);
  const idleMs = performance.now() - idling;
  const socket = join(folder, "map.sock");
  const from = performance.now();
  const words = [socket, join(folder, "data"), String(PAYLOAD_SIZE)];
  const args = ["--input-type=module", "-e", PROGRAM, ...words];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  const map = await connectMap(`unix:${socket}`);
  await map.get(recordOf(RECORDS - 1).address);
  const startMs = performance.now() - from;
  const atStart = memoryMiB(child.pid, "VmRSS");
  const random = new SeededRandom(3);
  const getting = performance.now();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let i = 0; i < GETS / 16; i++) {
        const { seq } = await map.get(recordOf(random.below(RECORDS)).address);
        check(seq === SEQUENCE.cell, "a record is found");
      }
    }),
  );
  const getUs = ((performance.now() - getting) * 1_000) / GETS;
  const afterGets = memoryMiB(child.pid, "VmRSS");
  const most = memoryMiB(child.pid, "VmHWM");
  const diskRatio = disk / (RECORDS * (PAYLOAD_SIZE + 101));
  const rows = [
    { what: "fill, us a record", value: fillUs },
    { what: "disk / records", value: diskRatio },
    { what: "node -e 0, ms", value: idleMs },
    { what: "start to first answer, ms", value: startMs },
    { what: "memory after start, MiB", value: atStart },
    { what: "random get over a socket, us", value: getUs },
    { what: "memory after random gets, MiB", value: afterGets },
    { what: "of it mapped files", value: memoryMiB(child.pid, "RssFile") },
    { what: "most ever, MiB", value: most },
  ];
  map.close();
  child.stdin?.end();
  await once(child, "exit");
  printTable(`a node with ${RECORDS} records of ${PAYLOAD_SIZE} bytes`, rows);
  writeResults("storage-million", rows, [
    atMost("a million records: start to first answer, ms", startMs, 1_000),
    atMost("a million records: memory at most, MiB", most, 300),
    atMost("a million records: disk over records", diskRatio, 1.2),
  ]);
} finally {
  rmSync(folder, { recursive: true });
}
