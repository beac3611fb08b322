import { describe, expect, it } from "vitest";
import { Canceller, CulvertError, onAbort } from "../../../src/base/index.ts";
import { type ExitMap, serveMap } from "../../../src/onion/map/map-exit.ts";
import { encodeOperation, readOutcome } from "../../../src/onion/map/map-operation.ts";
import type { IncomingCircuit } from "../../../src/onion/relay/relay-shell.ts";

const WAITING = encodeOperation({ kind: "get", address: new Uint8Array(32), waitMs: 300_000 });
const PLACES = 12;

/** An exit with few places, where every get waits until it is given up. */
class Exit {
  /** Gets that the Map behind is asked for now. */
  open = 0;
  /** Circuits in the order in which their requests were answered, all of them `CULVERT_BUSY`. */
  readonly busy: number[] = [];
  readonly #handler: ReturnType<typeof serveMap>;

  constructor() {
    const map: ExitMap = {
      put: () => Promise.reject(new CulvertError("CULVERT_FULL")),
      get: (_address, _waitMs, signal) =>
        new Promise((_, reject) => {
          this.open += 1;
          onAbort(signal, (error) => {
            this.open -= 1;
            reject(error);
          });
        }),
    };
    this.#handler = serveMap(map, PLACES);
  }

  /** A circuit asks so many times; aborting the result ends it. */
  ask(id: number, times: number): Canceller {
    const ending = new Canceller();
    const circuit: IncomingCircuit = { id, source: "", sendData: () => {}, refuse: () => {} };
    for (let i = 0; i < times; i++) {
      void this.#handler(WAITING.slice(), ending.signal, circuit).then((answer) => {
        expect(readOutcome(answer)).toEqual({ kind: "failed", code: "CULVERT_BUSY" });
        if (!ending.signal.aborted) this.busy.push(id);
      });
    }
    return ending;
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }
}

describe("the places of an exit", () => {
  it("are not all of one circuit once others ask", async () => {
    const exit = new Exit();
    exit.ask(1, PLACES);
    exit.ask(2, 4);
    await exit.settle();
    expect(exit.busy).toEqual([1, 1, 1, 1]);
    exit.ask(3, PLACES);
    await exit.settle();
    // Four each, one more or less: 1 and 3 had the most in turn.
    const given = (id: number): number => exit.busy.filter((one) => one === id).length;
    expect([PLACES - given(1), 4 - given(2), PLACES - given(3)]).toEqual([4, 4, 4]);
    expect(exit.open).toBe(PLACES);
  });

  it("are not moved between circuits that have as many, but to one that has none", async () => {
    const exit = new Exit();
    for (let id = 0; id < PLACES; id++) exit.ask(id, 1);
    exit.ask(5, 1);
    await exit.settle();
    expect(exit.busy).toEqual([5]);
    // Whoever has asked for nothing for longest makes room.
    exit.ask(98, 1);
    exit.ask(99, 2);
    await exit.settle();
    expect(exit.busy).toEqual([5, 99, 0, 1]);
    expect(exit.open).toBe(PLACES);
  });

  it("are free when their circuit is gone", async () => {
    const exit = new Exit();
    exit.ask(1, PLACES).abort();
    await exit.settle();
    expect(exit.open).toBe(0);
    exit.ask(2, PLACES);
    await exit.settle();
    expect(exit.busy).toEqual([]);
  });
});

it.each([
  [1_000, 1_000],
  [4 * 3_600_000, 300_000],
])("a get that asks for %d ms waits for %d", async (asked, waited) => {
  const waits: number[] = [];
  const map: ExitMap = {
    put: () => Promise.reject(new CulvertError("CULVERT_FULL")),
    get: async (_address, waitMs) => {
      waits.push(waitMs);
      throw new CulvertError("CULVERT_NOT_FOUND");
    },
  };
  const circuit: IncomingCircuit = { id: 1, source: "", sendData: () => {}, refuse: () => {} };
  const get = encodeOperation({ kind: "get", address: new Uint8Array(32), waitMs: asked });
  await serveMap(map)(get, new Canceller().signal, circuit);
  expect(waits).toEqual([waited]);
});
