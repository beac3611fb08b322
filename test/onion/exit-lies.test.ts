import { afterEach, describe, expect, it } from "vitest";
import { type CulvertError, toHex } from "../../src/base/index.ts";
import { nodeIdText } from "../../src/identity/index.ts";
import type { Circuit } from "../../src/onion/circuit/circuit.ts";
import type { ExitChecks } from "../../src/onion/map/exit-checks.ts";
import {
  encodeOutcome,
  type OnionRecord,
  readOperation,
} from "../../src/onion/map/map-operation.ts";
import type { OnionCarrierOptions } from "../../src/onion/map/onion-carrier-options.ts";
import { carrierRig, recordOf } from "./carrier-rig.ts";

function genuine(seed: number): OnionRecord {
  const record = recordOf(seed);
  record.payload[0] = 1;
  return record;
}

describe("an exit that is caught lying", () => {
  /** Believes receipts that begin with one, and payloads that do. */
  const checks: ExitChecks = {
    receiptOf: (_record, { receipt: [first = 0] }) =>
      first === 1 ? "proof" : first === 2 ? "no-proof" : "lie",
    isGenuine: ({ payload }) => payload[0] === 1,
  };
  let rig: ReturnType<typeof carrierRig>;
  afterEach(() => rig.net.close());
  const setUp = (options: Partial<OnionCarrierOptions>) => {
    rig = carrierRig({ ...options, checks });
    return rig;
  };
  const ask = (asked: Promise<unknown>): Promise<string> =>
    rig.net.clock.runPromise(asked, 60_000).then(
      () => "done",
      (error: CulvertError) => error.code,
    );

  it.each([
    ["by a forged receipt", "put", { kind: "stored", ttlSeconds: 9, receipt: Uint8Array.of(0) }],
    ["by no receipt", "put", { kind: "stored", ttlSeconds: 9, receipt: new Uint8Array(0) }],
    ["by an answer to another question", "put", { kind: "found", record: recordOf(7) }],
    ["by a forged record", "get", { kind: "found", record: recordOf(7) }],
    ["by a receipt for a get", "get", { kind: "stored", ttlSeconds: 9, receipt: Uint8Array.of(1) }],
  ] as const)("%s is left, and told to the routes", async (_, kind, lie) => {
    const { net, carrier, map, routes } = setUp({ paths: 3 });
    await net.clock.runPromise(carrier.put(genuine(0)), 60_000);
    await net.clock.runPromise(carrier.get(genuine(0).address), 60_000);
    const liar = 5;
    net.service(liar).setHandlers({ request: async () => encodeOutcome(lie) });
    const outcomes: string[] = [];
    for (let i = 1; routes.liars.length === 0; i++) {
      const record = genuine(i);
      if (kind === "get") map.records.set(toHex(record.address), record);
      const asked = kind === "put" ? carrier.put(record) : carrier.get(record.address);
      outcomes.push(await ask(asked));
    }
    expect(routes.liars).toEqual([net.node(liar).id]);
    expect(outcomes.filter((outcome) => outcome !== "done")).toEqual(["CULVERT_PROTOCOL"]);
    const { writes, reads } = carrier.circuits;
    const exits = (kind === "put" ? writes : reads).map(({ exit }) => nodeIdText(exit));
    expect(exits).not.toContain(nodeIdText(net.node(liar).id));
  });

  it("cannot tell which other circuits are of the same stream", async () => {
    // Seven circuits of each, and eleven exits.
    const { net, carrier, map, routes } = setUp({ paths: 6, idleMs: 600_000 });
    await net.clock.runPromise(carrier.put(genuine(0)), 60_000);
    await net.clock.runPromise(carrier.get(genuine(0).address), 60_000);
    await net.clock.runUntil(net.clock.now() + 5_000);
    const { writes, reads } = carrier.circuits;
    const isOf = (exit: Uint8Array) => (it: Circuit) => nodeIdText(it.exit) === nodeIdText(exit);
    const both = writes.find(({ exit }) => reads.some(isOf(exit)));
    const liar = net.nodes.find(({ id }) => both !== undefined && isOf(id)(both));
    if (both === undefined || liar === undefined) throw new Error("an exit has circuits of both");
    const other = reads.find(isOf(liar.id));
    let gets = 0;
    liar.service.setHandlers({
      request: async (content) => {
        if (readOperation(content).kind === "get") gets += 1;
        return encodeOutcome({ kind: "stored", ttlSeconds: 9, receipt: Uint8Array.of(0) });
      },
    });
    for (let i = 1; routes.liars.length === 0; i++) await ask(carrier.put(genuine(i)));
    const caughtAt = net.clock.now();
    expect([both.isEnded, other?.isEnded]).toEqual([true, false]);
    // It is asked for nothing any more all the same.
    for (let i = 20; i < 30; i++) {
      const record = genuine(i);
      map.records.set(toHex(record.address), record);
      expect(await ask(carrier.get(record.address))).toBe("done");
    }
    expect(gets).toBe(0);
    await net.clock.runUntil(caughtAt + 31_000);
    expect(other?.isEnded).toBe(true);
  });

  it("is not one that has few receipts", async () => {
    const { net, carrier, routes } = setUp({ paths: 1, spares: 0 });
    const few = { kind: "stored", ttlSeconds: 9, receipt: Uint8Array.of(2) } as const;
    for (const { service } of net.nodes) {
      service.setHandlers({ request: async () => encodeOutcome(few) });
    }
    expect(await ask(carrier.put(genuine(1)))).toBe("CULVERT_PROTOCOL");
    expect(routes.liars).toEqual([]);
    expect(carrier.circuits.writes.length).toBe(1);
  });

  it.each([
    ["nothing", 1, { kind: "failed", code: "CULVERT_NOT_FOUND" }, "CULVERT_PROTOCOL"],
    ["what is no record of it", 1, { kind: "found", record: recordOf(7) }, "CULVERT_PROTOCOL"],
    ["the same bytes", 1, { kind: "found", record: genuine(1) }, "CULVERT_PROTOCOL"],
    ["an older record", 2, { kind: "found", record: genuine(7) }, "CULVERT_PROTOCOL"],
    ["other bytes", 1, { kind: "found", record: genuine(7) }, "CULVERT_CONFLICT"],
    ["a later record", 1, { kind: "found", record: { ...genuine(7), seq: 2 } }, "CULVERT_CONFLICT"],
  ] as const)("that says that an address is taken, and shows %s", async (_, seq, shown, code) => {
    const { net, carrier } = setUp({ paths: 1, spares: 0 });
    for (const { service } of net.nodes) {
      service.setHandlers({
        request: async (asked) => {
          const isPut = readOperation(asked).kind === "put";
          return encodeOutcome(isPut ? { kind: "failed", code: "CULVERT_CONFLICT" } : shown);
        },
      });
    }
    expect(await ask(carrier.put({ ...genuine(1), seq }))).toBe(code);
  });

  it("is not one that says of a get that the address is taken: no stream ends by it", async () => {
    const { net, carrier, routes } = setUp({ paths: 1, spares: 0 });
    for (const { service } of net.nodes) {
      const taken = encodeOutcome({ kind: "failed", code: "CULVERT_CONFLICT" });
      service.setHandlers({ request: async () => taken });
    }
    expect(await ask(carrier.get(genuine(1).address))).toBe("CULVERT_PROTOCOL");
    expect(routes.liars).toEqual([]);
  });

  it("by noise is left too", async () => {
    const { net, carrier, routes } = setUp({ paths: 1, spares: 0 });
    for (const { service } of net.nodes) {
      service.setHandlers({ request: async () => Uint8Array.of(77) });
    }
    expect(await ask(carrier.put(genuine(1)))).toBe("CULVERT_PROTOCOL");
    expect(routes.liars.length).toBe(1);
    expect(carrier.circuits.writes).toEqual([]);
  });
});
