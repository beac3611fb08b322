/**
 * A stream that outlives its process: what the first session wrote and could not get through, the
 * second one does. `halt` stands for a crash; `kill -9` would do.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateSecret, Stream } from "culvert";
import { LevelJournalStore } from "culvert/journal";
import { LossyTransport, MemoryTransport } from "culvert/transport";

const folder = await mkdtemp(join(tmpdir(), "culvert-survive-"));
const map = new MemoryTransport();
const deadMap = new LossyTransport(map, { loss: 1, rttMs: 1 });
const secret = generateSecret();
const store = new LevelJournalStore(folder);

const first = await Stream.open({ transport: deadMap, store, secret, role: "listener" });
first.write("written while the Map was down, ");
await new Promise((resolve) => setTimeout(resolve, 50));
await first.halt();

const second = await Stream.open({ transport: map, store, secret, role: "listener" });
second.end("and read by somebody later");

const reader = Stream.dial(map, secret);
reader.end();
for await (const chunk of reader) process.stdout.write(chunk);
process.stdout.write("\n");
await second.sync();
second.destroy();
await rm(folder, { recursive: true });
