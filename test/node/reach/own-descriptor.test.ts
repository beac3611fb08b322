import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SeededRandom, SILENT } from "../../../src/base/index.ts";
import { type NodeDescriptor, NodeIdentity } from "../../../src/identity/index.ts";
import { MemoryRecordStore } from "../../../src/mapservice/index.ts";
import { NODE_DEFAULTS, startNode } from "../../../src/node/index.ts";
import { OwnDescriptor } from "../../../src/node/reach/own-descriptor.ts";
import { SEQUENCE_FILE, SequenceFile } from "../../../src/node/reach/sequence-file.ts";
import { VirtualClock, VirtualNetwork } from "../../../src/testing/index.ts";
import { Capture } from "../../../src/testing/road/capture.ts";
import { virtualMachine } from "../../../src/testing/road/road-node.ts";

const HOST = "198.51.100.1";
const NOON = 1_735_732_800_000;
const HOUR_MS = 3_600_000;

it("numbers descriptors on after a restart with a clock that was set back", async () => {
  const directory = await mkdtemp(join(tmpdir(), "culvert-sequence-"));
  /** The number of the last descriptor of a life that begins then. */
  const live = async (startUnixMs: number): Promise<number> => {
    const clock = new VirtualClock({ startUnixMs });
    const host = new VirtualNetwork({ clock, seed: 1 }).addHost({ addresses: [HOST] });
    const ground = { clock, capture: new Capture(clock), isWatched: false };
    const machine = virtualMachine(ground, host, new SeededRandom(1));
    const store = new MemoryRecordStore({ payloadSize: 1_024, entriesMax: 1, bytesMax: 2_048 });
    const listen = [{ carrier: "udp", host: HOST, port: 7_000 }] as const;
    const node = await startNode({ ...NODE_DEFAULTS, directory, listen }, { machine, store });
    await node.close();
    return (await SequenceFile.open(join(directory, SEQUENCE_FILE), SILENT)).last;
  };
  try {
    const first = await live(NOON);
    expect(first).toBeGreaterThan(0);
    expect(await live(NOON - HOUR_MS)).toBeGreaterThan(first);
    expect(await live(NOON + HOUR_MS)).toBe((NOON + HOUR_MS) / 1_000);
    for (const damaged of ["", "\xff".repeat(6), "\xff".repeat(7)]) {
      await writeFile(join(directory, SEQUENCE_FILE), damaged, "latin1");
      expect(await live(NOON)).toBe(NOON / 1_000);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

it("signs a descriptor that holds for three hours, and a new one after half of that", async () => {
  const clock = new VirtualClock({ startUnixMs: NOON });
  const identity = new NodeIdentity(new Uint8Array(32).fill(1));
  const { geometry } = NODE_DEFAULTS;
  const claims = { roles: [], geometry, addresses: [], relays: [], onionKeys: [] };
  const published: { readonly at: number; readonly descriptor: NodeDescriptor }[] = [];
  const own = new OwnDescriptor(
    { identity, clock },
    () => claims,
    (descriptor) => {
      published.push({ at: clock.unixMs() - NOON, descriptor });
    },
  );
  own.start();
  await clock.runUntil(clock.now() + 4 * HOUR_MS);
  own.close();
  // It looks every half minute.
  expect(published.map(({ at }) => Math.round(at / 60_000))).toEqual([0, 91, 181]);
  for (const { at, descriptor } of published) {
    expect(descriptor.claims.expiresAtUnixS).toBe((NOON + at + 3 * HOUR_MS) / 1_000);
  }
});
