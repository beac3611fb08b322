import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import Hypercore from "hypercore";
import RandomAccessMemory from "random-access-memory";
import { describe, expect, it } from "vitest";
import { cross, WAYS } from "./ways.ts";

describe.each(WAYS)("hypercore over %s", (_name, way) => {
  it("replicates a log, and what is appended meanwhile", async () => {
    await cross(way, async ({ a, b }) => {
      const original = new Hypercore(() => new RandomAccessMemory());
      await original.ready();
      const blocks = Array.from({ length: 60 }, (_, i) => randomBytes(1 + i * 50));
      await original.append(blocks);
      const copy = new Hypercore(() => new RandomAccessMemory(), original.key);
      await copy.ready();
      const replications = [join(a, original.replicate(true)), join(b, copy.replicate(false))];
      const late = randomBytes(5_000);
      const fetching = Promise.all([...blocks, late].map((_, i) => copy.get(i)));
      await copy.get(0);
      await original.append(late);
      const fetched = await fetching;
      expect(fetched).toEqual([...blocks, late]);
      expect(await copy.treeHash()).toEqual(await original.treeHash());
      for (const replication of replications) replication.end();
      await Promise.all(replications.map((replication) => once(replication, "close")));
      await Promise.all([original.close(), copy.close()]);
      // A pipe stops when its target closes: the end, which still comes, is read by nobody else.
      for (const end of [a, b]) end.resume();
    });
  });
});

/** As hypercore's manual says: the stream in the place of a socket. */
function join(socket: Duplex, replication: Duplex): Duplex {
  socket.pipe(replication).pipe(socket);
  return replication;
}
