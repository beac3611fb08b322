import { setMaxListeners } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SeededRandom } from "../src/base/index.ts";
import { rootPublicKey } from "../src/crypto/index.ts";
import { connectMap, MapClient, type RemoteMap } from "../src/mapservice/index.ts";
import { NodeProcess } from "./node-process.ts";

const { CULVERT_KILLS = "20", CULVERT_SEED = "1" } = process.env;
const KILLS = Number(CULVERT_KILLS);
const SEED = Number(CULVERT_SEED);
const PAYLOAD_SIZE = 1_024;
const CONCURRENCY = 32;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "culvert-kill-"));
});
afterEach(() => rm(folder, { recursive: true }));

const writeSeed = new SeededRandom(SEED).bytes(32);
const keys = { writeSeed, readRoot: rootPublicKey(writeSeed) };
const frameId = (index: number): Uint8Array => new SeededRandom(10_000 + index).bytes(32);
const cellOf = (index: number): Uint8Array => new SeededRandom(index).bytes(PAYLOAD_SIZE);

/** Puts frames from `first` on until the connection dies; tells of each one that was confirmed. */
async function putUntilDeath(
  map: RemoteMap,
  options: { readonly first: number; readonly confirmed: (index: number) => void },
): Promise<void> {
  // Pinned: a confirmation that the node did not sign is none.
  const stream = new MapClient(map, { nodeKey: map.greeting.nodeKey }).bind(keys);
  let next = options.first;
  const abort = new AbortController();
  setMaxListeners(CONCURRENCY, abort.signal);
  const putting = Array.from({ length: CONCURRENCY }, async () => {
    while (!abort.signal.aborted) {
      const index = next++;
      try {
        await stream.put(frameId(index), cellOf(index), { signal: abort.signal });
        options.confirmed(index);
      } catch {
        abort.abort();
      }
    }
  });
  await Promise.all(putting);
}

test(
  `every ok is true after ${KILLS} SIGKILLs`,
  async () => {
    const random = new SeededRandom(SEED);
    console.log(`seed ${SEED}, ${KILLS} kills (CULVERT_SEED, CULVERT_KILLS)`);
    const [socket, directory] = [join(folder, "map.sock"), join(folder, "data")];
    const confirmed = new Set<number>();
    let nodeKey: Uint8Array | undefined;
    for (let kill = 0; kill <= KILLS; kill++) {
      const node = await NodeProcess.start(socket, directory, PAYLOAD_SIZE);
      const map = await connectMap(`unix:${socket}`);
      nodeKey ??= map.greeting.nodeKey;
      expect(map.greeting.nodeKey, "the node is still the same").toEqual(nodeKey);
      const stream = new MapClient(map).bind(keys);
      // All of the latest, and a sample of what is older.
      const all = [...confirmed];
      const sample = all.filter((_, i) => i >= all.length - 200 || random.below(20) === 0);
      for (const index of kill === KILLS ? all : sample) {
        expect(await stream.get(frameId(index)), `frame ${index}`).toEqual(cellOf(index));
      }
      if (kill === KILLS) {
        map.close();
        expect(await node.end()).toBe(0);
        break;
      }
      const first = 1_000_000 * kill;
      const enough = 1 + random.below(300);
      let count = 0;
      let killing: Promise<void> | undefined;
      const confirm = (index: number): void => {
        confirmed.add(index);
        count += 1;
        if (count === enough) killing = node.kill();
      };
      await putUntilDeath(map, { first, confirmed: confirm });
      await killing;
      map.close();
    }
    console.log(`${confirmed.size} records were confirmed, and are there`);
    expect(confirmed.size).toBeGreaterThan(KILLS);
    expect((await stat(join(directory, "node.key"))).mode & 0o777).toBe(0o600);
  },
  60_000 + KILLS * 20_000,
);
