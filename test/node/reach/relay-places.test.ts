import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SILENT } from "../../../src/base/index.ts";
import {
  NodeDescriptor,
  NodeIdentity,
  type NodeRole,
  nodeIdText,
} from "../../../src/identity/index.ts";
import type { DialTarget, Voucher } from "../../../src/link/index.ts";
import { RelayPlaces } from "../../../src/node/reach/relay-places.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const GEOMETRY = { cellBytes: 2_048, onionBytes: 4_096, onionHopsMax: 5 };

function relay(number: number, roles: readonly NodeRole[] = ["link-relay"]): NodeDescriptor {
  const addresses = [{ carrier: "udp", host: `192.0.2.${number}`, port: 1 }] as const;
  const life = { sequence: 1, expiresAtUnixS: 4_000_000_000 };
  const claims = { ...life, roles, geometry: GEOMETRY, addresses, relays: [], onionKeys: [] };
  return NodeDescriptor.sign(new NodeIdentity(new Uint8Array(32).fill(number)), claims);
}

/** Relays by their numbers: who was asked and left, in order, and who gives places. */
class Rig {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly giving = new Set<number>();
  readonly liars = new Set<number>();
  known: readonly NodeDescriptor[] = [];
  readonly places: RelayPlaces;
  readonly #kept = new Map<string, DialTarget>();

  constructor() {
    const rig = this;
    const reach = {
      keepPlace: (target: DialTarget) => {
        if (rig.liars.has(rig.#numberOf(target))) return false;
        rig.log.push(`ask ${rig.#numberOf(target)}`);
        rig.#kept.set(nodeIdText(target.id), target);
        return true;
      },
      leave: (id: Uint8Array) => {
        const target = rig.#kept.get(nodeIdText(id));
        rig.#kept.delete(nodeIdText(id));
        if (target !== undefined) rig.log.push(`leave ${rig.#numberOf(target)}`);
      },
      get vouchers(): Voucher[] {
        const held = [...rig.#kept.values()].filter((one) => rig.giving.has(rig.#numberOf(one)));
        return held.map(({ id }) => ({ relay: id }) as Voucher);
      },
    };
    const discovery = { discover: async () => this.known };
    this.places = new RelayPlaces({ reach, discovery, clock: this.clock, log: SILENT });
  }

  async after(ms: number): Promise<string[]> {
    await this.clock.runUntil(this.clock.now() + ms);
    return this.log.splice(0);
  }

  #numberOf({ addresses }: DialTarget): number {
    return Number(addresses[0]?.host.split(".").at(-1));
  }
}

describe("a node that only relays reach", () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig();
    rig.known = [relay(1), relay(2, ["storage"]), relay(3), relay(4)];
  });
  afterEach(() => rig.places.close());

  it("asks two nodes with the role, and nobody else while they keep a place for it", async () => {
    rig.giving.add(1).add(3);
    rig.places.start();
    expect(await rig.after(600_000)).toEqual(["ask 1", "ask 3"]);
    rig.places.stop();
    expect(rig.log).toEqual(["leave 1", "leave 3"]);
    expect(await rig.after(600_000)).toHaveLength(2);
    expect(rig.clock.pending).toBe(0);
  });

  it("leaves one that gives none for another one", async () => {
    rig.giving.add(1).add(4);
    rig.places.start();
    expect(await rig.after(600_000)).toEqual(["ask 1", "ask 3", "leave 3", "ask 4"]);
  });

  it("looks again when one that gave a place does no more", async () => {
    rig.giving.add(1).add(3);
    rig.places.start();
    await rig.after(60_000);
    rig.giving.delete(1);
    rig.giving.add(4);
    expect(await rig.after(600_000)).toEqual(["leave 1", "ask 4"]);
  });

  it("passes over one that was caught lying", async () => {
    rig.liars.add(1);
    rig.giving.add(3).add(4);
    rig.places.start();
    expect(await rig.after(600_000)).toEqual(["ask 3", "ask 4"]);
  });
});
