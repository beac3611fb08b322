import { describe, expect, it } from "vitest";
import { CulvertError, type Log, SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import { type HeldRecord, MemoryRecordStore, storeOver } from "../../src/mapservice/index.ts";
import { NODE_DEFAULTS, type NodeConfig, startNode } from "../../src/node/index.ts";
import { VirtualClock, VirtualNetwork } from "../../src/testing/index.ts";
import { Capture } from "../../src/testing/road/capture.ts";
import { virtualMachine } from "../../src/testing/road/road-node.ts";

/** A machine on a network where nobody else is. */
function alone() {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed: 1 });
  const host = network.addHost({ addresses: ["198.51.100.1"] });
  const ground = { clock, capture: new Capture(clock), isWatched: false };
  return { clock, machine: virtualMachine(ground, host, new SeededRandom(1)) };
}

const NOBODY = {
  id: new NodeIdentity(new Uint8Array(32).fill(9)).id,
  address: { carrier: "udp", host: "198.51.100.9", port: 7_000 },
} as const;

describe("a node", () => {
  it("that is closed while it joins leaves nothing running", async () => {
    for (const reachable of ["relay", "auto"] as const) {
      const { clock, machine } = alone();
      const listen = [{ carrier: "udp", host: "198.51.100.1", port: 7_000 }] as const;
      const config = { ...NODE_DEFAULTS, reachable, listen, bootstrap: [NOBODY] };
      const node = await clock.runPromise(startNode(config, { machine }));
      await clock.runUntil(clock.now() + 100);
      await clock.runPromise(node.close());
      await clock.runPromise(node.joined);
      await clock.runUntil(clock.now() + 120_000);
      expect(clock.pending, reachable).toBe(0);
    }
  });

  it("that is closed while it reads what it held before takes that for no failure", async () => {
    const { clock, machine } = alone();
    const memory = new MemoryRecordStore({ payloadSize: 8_192, entriesMax: 9, bytesMax: 1e6 });
    let cut: (error: Error) => void = () => {};
    const store = storeOver(memory, {
      async *held() {
        yield* await new Promise<HeldRecord[]>((_, reject) => {
          cut = reject;
        });
      },
      close: async () => {
        cut(new CulvertError("CULVERT_FILE", "the store is closed"));
        await memory.close();
      },
    });
    const warned: string[] = [];
    const log: Log = (level, what) => level !== "debug" && warned.push(what);
    const listen = [{ carrier: "udp", host: "198.51.100.1", port: 7_000 }] as const;
    const starting = startNode({ ...NODE_DEFAULTS, listen }, { machine, store, log });
    const node = await clock.runPromise(starting);
    await clock.runPromise(node.joined);
    await clock.runPromise(node.close());
    await clock.runUntil(clock.now() + 120_000);
    expect(warned).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("lets go of a store that hangs when it is closed, and says so", async () => {
    const { clock, machine } = alone();
    const memory = new MemoryRecordStore({ payloadSize: 8_192, entriesMax: 9, bytesMax: 1e6 });
    const store = storeOver(memory, { close: () => new Promise(() => {}) });
    const listen = [{ carrier: "udp", host: "198.51.100.1", port: 7_000 }] as const;
    const starting = startNode({ ...NODE_DEFAULTS, listen }, { machine, store });
    const node = await clock.runPromise(starting);
    await clock.runPromise(node.joined);
    const closing = node.close().catch((error: unknown) => error);
    expect(await clock.runPromise(closing, 60_000)).toMatchObject({ code: "CULVERT_TIMEOUT" });
    await clock.runUntil(clock.now() + 120_000);
    expect(clock.pending).toBe(0);
  });

  it("is not told to be reached in a way, or over a carrier, that there is not", async () => {
    const { clock, machine } = alone();
    const address = { host: "198.51.100.1", port: 7_000 };
    const [udp, sctp] = ["udp", "sctp" as "udp"].map((carrier) => [{ carrier, ...address }]);
    const wrong = [{ listen: udp, reachable: "public" as "auto" }, { listen: sctp }];
    for (const given of wrong) {
      const starting = startNode({ ...NODE_DEFAULTS, ...given } as NodeConfig, { machine });
      await expect(clock.runPromise(starting)).rejects.toThrow(RangeError);
    }
  });

  it("shows what may fall as a gauge, and nothing of who talks to whom", async () => {
    const { clock, machine } = alone();
    const listen = [{ carrier: "udp", host: "198.51.100.1", port: 7_000 }] as const;
    const config = { ...NODE_DEFAULTS, listen, metrics: "127.0.0.1:0" };
    const node = await clock.runPromise(startNode(config, { machine }));
    const page = await fetch(`http://127.0.0.1:${node.metricsPort}/metrics`);
    const lines = (await page.text()).split("\n").filter((line) => line !== "");
    await clock.runPromise(node.close());
    const gauges = lines.filter((line) => line.endsWith(" gauge"));
    expect(gauges).toContain("# TYPE culvert_map_links gauge");
    expect(gauges).toContain("# TYPE culvert_map_waiting gauge");
    for (const line of lines) expect(line).toMatch(/^(# (HELP|TYPE) .*|[a-z_]+ [0-9.e+]+)$/);
  });

  it("is not told to keep no records, since the others would count on it", async () => {
    const { clock, machine } = alone();
    const listen = [{ carrier: "udp", host: "198.51.100.1", port: 7_000 }] as const;
    const started = startNode({ ...NODE_DEFAULTS, listen, roles: ["onion-relay"] }, { machine });
    await expect(clock.runPromise(started)).rejects.toMatchObject({ code: "CULVERT_USAGE" });
  });

  it("is not told to listen at two addresses of one carrier", async () => {
    const { machine } = alone();
    const listen = [1, 2].map((port) => ({ carrier: "udp", host: "198.51.100.1", port }) as const);
    const started = startNode({ ...NODE_DEFAULTS, listen }, { machine });
    await expect(started).rejects.toMatchObject({ code: "CULVERT_USAGE" });
  });
});
