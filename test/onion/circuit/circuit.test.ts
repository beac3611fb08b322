import { afterEach, describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { Circuit } from "../../../src/onion/circuit/circuit.ts";
import { CIRCUIT_LIMITS } from "../../../src/onion/circuit/circuit-limits.ts";
import { packetBytes, requestBytes } from "../../../src/onion/packet/geometry.ts";
import { findCommonRun, GEOMETRY } from "../fixtures.ts";
import { VirtualNet } from "../virtual-net.ts";

let net: VirtualNet;
afterEach(() => net.close());

/** The last hop of a route answers every request with its bytes in the other order. */
function echo(index: number): void {
  net.service(index).setHandlers({ request: async (content) => content.toReversed() });
}

async function build(...indexes: number[]): Promise<Circuit> {
  return net.clock.runPromise(Circuit.build(net.service(0), net.route(...indexes)));
}

function failureOf(circuit: Circuit) {
  return net.clock.runPromise(circuit.ended, 60_000).then(({ failure }) => failure);
}

const content = new SeededRandom(3).bytes(700);

describe("a circuit", () => {
  it.each([1, 2, 3, 4, 5])("through %d hops carries requests both ways", async (count) => {
    net = new VirtualNet(6);
    echo(count);
    const circuit = await build(...[1, 2, 3, 4, 5].slice(0, count));
    const response = await net.clock.runPromise(circuit.request(content));
    expect(response.length).toBe(requestBytes(GEOMETRY));
    expect(response.toReversed().subarray(0, 700)).toEqual(content);
  });

  it("is not begun through more hops than packets have room for, or none", async () => {
    net = new VirtualNet(8);
    const { pending } = net.clock;
    for (const hops of [[], [1, 2, 3, 4, 5, 6]]) {
      const built = Circuit.build(net.service(0), net.route(...hops));
      await expect(built).rejects.toThrow(RangeError);
    }
    expect(net.clock.pending).toBe(pending);
  });

  it("is built through three relays in six link latencies", async () => {
    net = new VirtualNet(4);
    const from = net.clock.now();
    await build(1, 2, 3);
    expect((net.clock.now() - from) / net.latencyMs).toBe(6);
  });

  it("carries messages of any size both ways, in order", async () => {
    net = new VirtualNet(4);
    const got: Uint8Array[] = [];
    const back: Uint8Array[] = [];
    net.service(3).setHandlers({
      data: (incoming, message) => {
        got.push(message);
        incoming.sendData(message);
      },
    });
    const circuit = await build(1, 2, 3);
    circuit.setDataHandler((message) => back.push(message));
    const sent = [0, 1, 488, 489, 490, 5_000, 65_536].map((size) =>
      new SeededRandom(size).bytes(size),
    );
    for (const message of sent) expect(circuit.sendData(message)).toBe(true);
    expect(circuit.sendData(new Uint8Array(65_537))).toBe(false);
    await net.clock.runUntil(() => back.length === sent.length, 60_000);
    expect(got).toEqual(sent);
    expect(back).toEqual(sent);
  });

  it("answers requests in any order, to whom they belong", async () => {
    net = new VirtualNet(4);
    const held: (() => void)[] = [];
    net.service(3).setHandlers({
      request: (request) =>
        new Promise((resolve) => {
          held.push(() => resolve(request));
        }),
    });
    const circuit = await build(1, 2, 3);
    const asked = [1, 2, 3].map((value) => circuit.request(new Uint8Array(5).fill(value)));
    await net.clock.runUntil(() => held.length === 3, 10_000);
    for (const release of held.toReversed()) release();
    const answers = await net.clock.runPromise(Promise.all(asked));
    expect(answers.map((answer) => answer[0])).toEqual([1, 2, 3]);
  });

  it("refuses more requests than may be open, and forgets those that were given up", async () => {
    net = new VirtualNet(4);
    const release: (() => void)[] = [];
    net.service(3).setHandlers({
      request: (request) => new Promise((resolve) => release.push(() => resolve(request))),
    });
    const circuit = await build(1, 2, 3);
    const aborts = Array.from({ length: 64 }, () => new AbortController());
    const asked = aborts.map(({ signal }) => circuit.request(content, { signal }));
    const outcomes = Promise.allSettled(asked);
    await expect(circuit.request(content)).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    expect(circuit.isUsable).toBe(false);
    for (const abort of aborts) abort.abort();
    expect((await outcomes).every(({ status }) => status === "rejected")).toBe(true);
    await net.clock.runUntil(() => release.length === 64, 10_000);
    for (const settle of release) settle();
    await net.clock.runUntil(() => circuit.openRequests === 0, 10_000);
    expect(circuit.isUsable).toBe(true);
  });
});

describe("what links see of circuits", () => {
  it("has one size, and no 8 bytes in a row in common", async () => {
    net = new VirtualNet(4);
    echo(3);
    const circuit = await build(1, 2, 3);
    await net.clock.runPromise(circuit.request(new Uint8Array(700)));
    circuit.sendData(new Uint8Array(10));
    await net.clock.runUntil(net.clock.now() + 1_000);
    const builds = net.passages.filter(({ bytes }) => bytes.length === packetBytes(GEOMETRY));
    const cells = net.passages.filter(({ bytes }) => bytes.length === GEOMETRY.cellBytes);
    expect(builds.length + cells.length).toBe(net.passages.length);
    expect(builds.length).toBe(3);
    expect(findCommonRun(net.passages.map(({ bytes }) => bytes))).toBeUndefined();
  });
});

describe("a circuit that is tampered with", () => {
  type Spoil = (cells: Uint8Array[]) => Uint8Array[];
  const ways: Record<string, Spoil> = {
    changed: ([cell = content]) => [cell.with(77, (cell[77] as number) ^ 1)],
    repeated: ([cell = content]) => [cell, cell],
    dropped: () => [],
    "of another size": ([cell = content]) => [cell.subarray(1)],
  };
  const places = [0, 1, 2].flatMap((link) =>
    (["there", "back"] as const).flatMap((way) =>
      Object.keys(ways).map((how) => ({ link, way, how })),
    ),
  );
  it.each(places)("on link $link, $way, by a cell $how, ends", async ({ link, way, how }) => {
    net = new VirtualNet(4);
    echo(3);
    const circuit = await build(1, 2, 3);
    const [from, to] = way === "there" ? [link, link + 1] : [link + 1, link];
    let isDone = false;
    net.intercept = ({ bytes, from: a, to: b }) => {
      if (isDone || a !== from || b !== to) return [bytes];
      isDone = true;
      return ways[how]?.([bytes]) ?? [];
    };
    const first = circuit.request(content);
    const second = circuit.request(content);
    const outcomes = await net.clock.runPromise(Promise.allSettled([first, second]), 60_000);
    // A response that was complete before the damage may still have come.
    expect(outcomes.at(-1)?.status).toBe("rejected");
    expect(circuit.isEnded).toBe(true);
    await net.clock.runUntil(net.clock.now() + 10_000);
    for (const index of [1, 2, 3]) expect(net.service(index).circuits, `node ${index}`).toBe(0);
  });

  it("by two cells in the other order, ends", async () => {
    net = new VirtualNet(4);
    echo(3);
    const circuit = await build(1, 2, 3);
    let held: Uint8Array | undefined;
    net.intercept = ({ bytes, from, to }) => {
      if (from !== 1 || to !== 2) return [bytes];
      if (held === undefined) {
        held = bytes;
        return [];
      }
      return [bytes, held];
    };
    const asked = circuit.request(content);
    await expect(net.clock.runPromise(asked, 60_000)).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
    });
  });
});

describe("a hop that fails", () => {
  it.each([1, 2, 3])("number %d of 3 while building is named to the origin", async (dead) => {
    net = new VirtualNet(4);
    const route = net.route(1, 2, 3);
    net.kill(dead);
    const built = net.clock.runPromise(Circuit.build(net.service(0), route), 60_000);
    await expect(built).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
      detail: { reason: "next-unreachable", hop: dead - 2 },
    });
  });

  it.each([2, 3])("number %d of 3 in a live circuit is named by the one before", async (dead) => {
    net = new VirtualNet(4);
    const circuit = await build(1, 2, 3);
    net.kill(dead);
    expect(await failureOf(circuit)).toEqual({ reason: "next-unreachable", hop: dead - 2 });
  });

  it("that does not want to be an exit says so", async () => {
    net = new VirtualNet(4, { relay: { isExit: false } });
    const built = net.clock.runPromise(Circuit.build(net.service(0), net.route(1, 2, 3)));
    await expect(built).rejects.toMatchObject({ detail: { reason: "policy", hop: 2 } });
  });

  it("that is named as its own next one refuses", async () => {
    net = new VirtualNet(4);
    const built = net.clock.runPromise(Circuit.build(net.service(0), net.route(1, 1, 3)));
    await expect(built).rejects.toMatchObject({ detail: { reason: "policy", hop: 0 } });
  });

  it("that drops the answers leaves a timeout, which the first hop tells", async () => {
    net = new VirtualNet(4);
    net.intercept = ({ bytes, from }) => (from === 3 ? [] : [bytes]);
    const built = net.clock.runPromise(Circuit.build(net.service(0), net.route(1, 2, 3)), 60_000);
    await expect(built).rejects.toMatchObject({
      code: "CULVERT_TIMEOUT",
      detail: { reason: "timeout", hop: 0 },
    });
  });

  it.each([0, 1, 2])("and garbles the answer on link %d is not named", async (link) => {
    net = new VirtualNet(4);
    net.intercept = ({ bytes, from, to }) =>
      from === link + 1 && to === link ? [bytes.with(3, (bytes[3] as number) ^ 1)] : [bytes];
    const built = net.clock.runPromise(Circuit.build(net.service(0), net.route(1, 2, 3)), 60_000);
    const error = await built.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ detail: { reason: "protocol" } });
    expect(error).not.toMatchObject({ detail: { hop: expect.anything() } });
  });

  it.each([
    ["rejects", () => Promise.reject(new Error("no"))],
    ["answers too much", () => Promise.resolve(new Uint8Array(requestBytes(GEOMETRY) + 1))],
  ])("whose handler %s ends the circuit as its last hop", async (_, request) => {
    net = new VirtualNet(4);
    net.service(3).setHandlers({ request });
    const circuit = await build(1, 2, 3);
    const asked = circuit.request(content);
    await expect(net.clock.runPromise(asked, 9_000)).rejects.toMatchObject({
      detail: { reason: "destination-refused", hop: 2 },
    });
  });
});

describe("the end of a circuit", () => {
  it("frees all hops", async () => {
    net = new VirtualNet(4);
    const circuit = await build(1, 2, 3);
    expect([1, 2, 3].map((index) => net.service(index).circuits)).toEqual([1, 1, 1]);
    circuit.close();
    await net.clock.runUntil(net.clock.now() + 1_000);
    expect([1, 2, 3].map((index) => net.service(index).circuits)).toEqual([0, 0, 0]);
  });

  it("comes after ten minutes or so, and is announced before", async () => {
    net = new VirtualNet(4);
    const circuit = await build(1, 2, 3);
    let retiredAt = 0;
    circuit.setRetireHandler(() => {
      retiredAt = net.clock.now();
    });
    await net.clock.runPromise(circuit.ended, 900_000);
    expect(retiredAt).toBeGreaterThan(400_000);
    expect(net.clock.now()).toBeGreaterThan(retiredAt + 30_000);
    expect(net.clock.now()).toBeLessThan(730_000);
  });

  it("comes by itself at the relays when the origin forgets it", async () => {
    net = new VirtualNet(4);
    await build(1, 2, 3);
    net.intercept = () => [];
    await net.clock.runUntil(net.clock.now() + 2_000_000);
    expect([1, 2, 3].map((index) => net.service(index).circuits)).toEqual([0, 0, 0]);
  });

  it("tells the handler of a request that nobody waits", async () => {
    net = new VirtualNet(4);
    let signal: AbortSignal | undefined;
    net.service(3).setHandlers({
      request: (_content, given) => {
        signal = given;
        return new Promise(() => {});
      },
    });
    const circuit = await build(1, 2, 3);
    const asked = circuit.request(content);
    await net.clock.runUntil(() => signal !== undefined, 9_000);
    circuit.close();
    await expect(asked).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    await net.clock.runUntil(() => signal?.aborted === true, 9_000);
  });
});

describe("cover", () => {
  /** When cells pass each link, with and without load. */
  async function trace(isLoaded: boolean): Promise<Map<string, number[]>> {
    net = new VirtualNet(4, { seed: 7 });
    echo(3);
    const circuit = await build(1, 2, 3);
    circuit.setCover(50);
    await net.clock.runUntil(2_000);
    net.passages.length = 0;
    if (isLoaded) {
      for (let i = 0; i < 40; i++) circuit.request(content).catch(() => {});
      circuit.sendData(new Uint8Array(3_000));
    }
    await net.clock.runUntil(8_000);
    const times = net.passageTimes();
    net.close();
    return times;
  }

  it("makes the times of cells on every link independent of the load", async () => {
    const [idle, loaded] = [await trace(false), await trace(true)];
    expect(idle.size).toBe(6);
    expect(loaded).toEqual(idle);
    for (const times of idle.values()) expect(times.length).toBe(120);
  });

  it("has one rhythm, however often it is begun and ended", async () => {
    net = new VirtualNet(4);
    const circuit = await build(1, 2, 3);
    for (let i = 0; i < 10; i++) {
      circuit.setCover(0);
      circuit.setCover(1_000);
    }
    await net.clock.runUntil(net.clock.now() + 3_000);
    net.passages.length = 0;
    await net.clock.runUntil(net.clock.now() + 10_000);
    for (const times of net.passageTimes().values()) expect(times.length).toBe(10);
  });

  it("comes back from a last hop no more often than that grants", async () => {
    net = new VirtualNet(4);
    const circuit = await build(1, 2, 3);
    circuit.setCover(1);
    await net.clock.runUntil(net.clock.now() + 1_000);
    net.passages.length = 0;
    await net.clock.runUntil(net.clock.now() + 1_000);
    const back = net.passages.filter(({ from }) => from === 3);
    expect(back.length).toBe(1_000 / CIRCUIT_LIMITS.coverMsMin);
  });

  it("is not what would be seen without it", async () => {
    net = new VirtualNet(4);
    echo(3);
    const circuit = await build(1, 2, 3);
    net.passages.length = 0;
    await net.clock.runUntil(2_000);
    expect(net.passages.length).toBe(0);
    await net.clock.runPromise(circuit.request(content));
    expect(net.passages.length).toBeGreaterThan(0);
  });
});
