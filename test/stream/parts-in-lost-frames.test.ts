import { generateSecret, MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport, type PutOptions, type Receipt } from "culvert/transport";
import { it, onTestFinished } from "vitest";
import { toHex } from "../../src/base/index.ts";

/** A quarter of an hour: a writer whose frames were not put again would wait for days. */
const PATIENCE_MS = 900_000;
const EURO = Buffer.from("€");

/** A Map that gives a receipt for the first put of some cells, and keeps none of those. */
class ForgetfulMap extends MemoryTransport {
  readonly #seen = new Set<string>();
  forgets: (cells: number) => boolean = () => false;

  override async put(id: Uint8Array, cell: Uint8Array, options?: PutOptions): Promise<Receipt> {
    const isNew = !this.#seen.has(toHex(id));
    this.#seen.add(toHex(id));
    if (isNew && this.forgets(this.#seen.size)) return { ttlSeconds: 604_800 };
    return super.put(id, cell, options);
  }
}

function place() {
  const clock = new VirtualClock();
  const map = new ForgetfulMap({ clock, payloadSize: 120 });
  onTestFinished(() => map.close());
  const run = <T>(promise: Promise<T>): Promise<T> => clock.runPromise(promise, PATIENCE_MS);
  return { clock, map, run, secret: generateSecret() };
}

/** What a reader of text has been given so far. */
function textOf(reader: Stream): { text: string } {
  const got = { text: "" };
  reader.setEncoding("utf8").on("data", (piece: string) => {
    got.text += piece;
  });
  return got;
}

it("a reader has the rest of a character that the Map has forgotten", async () => {
  const { clock, map, secret } = place();
  const writer = Stream.listen(map, secret, { clock, noDelay: true });
  // The first frame is there, and of the others the one behind it is not.
  map.forgets = (cells) => cells === 2;
  for (const byte of [...EURO, ...Buffer.from("and more")]) {
    writer.write(Uint8Array.of(byte));
    await clock.runUntil(clock.now() + 10);
  }
  map.forgets = () => false;
  const reader = Stream.dial(map, secret, { clock, receiveFramesMax: 2 });
  const got = textOf(reader);
  await clock.runUntil(() => got.text === "€and more", PATIENCE_MS);
  await Promise.all([writer.halt(), reader.halt()]);
});

it("a writer that was opened again goes on behind the probes of its earlier sessions", async () => {
  const { clock, map, run, secret } = place();
  const store = new MemoryJournalStore();
  const writing = { transport: map, store, secret, role: "listener", clock } as const;
  const reader = Stream.dial(map, secret, { clock, creditFrames: 4 });
  const got = textOf(reader);
  const first = await run(Stream.open(writing));
  first.write(EURO.subarray(0, 1));
  await clock.runUntil(clock.now() + PATIENCE_MS);
  await run(first.halt());
  const again = await run(Stream.open(writing));
  again.write(EURO.subarray(1));
  await clock.runUntil(() => got.text === "€", PATIENCE_MS);
  await Promise.all([again.halt(), reader.halt()]);
});

it("a reader that was away for long has soon what the Map has lost meanwhile", async () => {
  const { clock, map, run, secret } = place();
  const writer = Stream.listen(map, secret, { clock });
  const reader = Stream.dial(map, secret, { clock });
  reader.resume();
  writer.write("first");
  await run(writer.sync());
  const state = await run(reader.save());
  writer.write(Buffer.alloc(2_000));
  // Its probes are a day apart by then.
  await clock.runUntil(clock.now() + 72 * 3_600_000);
  const other = new MemoryTransport({ clock, payloadSize: 120 });
  writer.setTransport(other);
  const again = await Stream.load(other, state, { clock });
  again.resume();
  await clock.runUntil(() => again.progress().takenBytes === 2_005, PATIENCE_MS);
  await Promise.all([writer.halt(), again.halt()]);
  other.close();
});
