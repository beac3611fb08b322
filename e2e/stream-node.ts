/**
 * One end of a stream as a process of its own, to be killed: `stream-node.ts ENDPOINT FOLDER SECRET
 * BYTES [FILE]`. With a file it reads the stream into it, exactly once; without, it writes BYTES of
 * a known text. Says `ready` once bytes move; ends when both sides know that all is done.
 */
import { once } from "node:events";
import { open } from "node:fs/promises";
import { Stream } from "culvert";
import { LevelJournalStore } from "culvert/journal";
import { connectMap, MapClient } from "culvert/mapservice";
import { LossyTransport } from "culvert/transport";
import { Pattern } from "../src/testing/world/pattern.ts";

const CHUNK_BYTES = 20_000;

/** What is written; `stream-kill.test.ts` compares the file with it. */
const TEXT = new Pattern(1);

/** Small, so that the transfer is still under way when the process is killed. */
const WINDOW = 4;

const [endpoint = "", folder = "", secret = "", bytes = "0", file] = process.argv.slice(2);
const map = await connectMap(endpoint);
const transport = new LossyTransport(new MapClient(map), { loss: 0.05, rttMs: 20, seed: 1 });
const store = new LevelJournalStore(folder);
const role = file === undefined ? "listener" : "dialer";
const options = { confirm: "manual", window: WINDOW } as const;
const stream = await Stream.open({ transport, store, secret, role, ...options });
const closed = once(stream, "close");
if (file === undefined) await write(stream, Number(bytes));
else await readInto(stream, file);
await closed;
map.close();

async function write(to: Stream, total: number): Promise<void> {
  to.resume();
  process.stdout.write("ready\n");
  for (let at = to.writeOffset; at < total; at += CHUNK_BYTES) {
    const chunk = TEXT.bytes(at, Math.min(CHUNK_BYTES, total - at));
    if (!to.write(chunk)) await once(to, "drain");
  }
  to.end();
}

/** What is in the file counts: bytes are confirmed once they are there for good. */
async function readInto(from: Stream, path: string): Promise<void> {
  const handle = await open(path, "a+");
  let offset = from.readOffset;
  const { size } = await handle.stat();
  if (size < offset) throw new Error(`confirmed ${offset} bytes, the file has ${size}`);
  from.once("readable", () => process.stdout.write("ready\n"));
  for await (const chunk of from) {
    const fresh = chunk.subarray(Math.max(size - offset, 0));
    await handle.appendFile(fresh);
    await handle.datasync();
    offset += chunk.length;
    from.confirm(offset);
  }
  await handle.close();
  from.end();
}
