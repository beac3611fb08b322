import { describe, expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import {
  NodeDescriptor,
  type NodeId,
  NodeIdentity,
  nodeIdOf,
} from "../../../src/identity/index.ts";
import type { Link, LinkHost, ReachTarget } from "../../../src/link/index.ts";
import { NodeLinks, type Whereabouts } from "../../../src/node/index.ts";

const peer = new NodeIdentity(new Uint8Array(32).fill(1));
const RELAY: NodeId = new NodeIdentity(new Uint8Array(32).fill(2)).id;
const at = (port: number) => ({ carrier: "tcp", host: "192.0.2.1", port }) as const;

function descriptor(port: number, relays: readonly NodeId[] = []): NodeDescriptor {
  return NodeDescriptor.sign(peer, {
    ...{ sequence: port, expiresAtUnixS: 2_000_000_000, roles: [], onionKeys: [], relays },
    ...{ geometry: { cellBytes: 2_048, onionBytes: 4_096, onionHopsMax: 5 } },
    addresses: [at(port)],
  });
}

/** What is asked and dialled, in order; only the ports of `open` answer. */
class Rig {
  readonly log: string[] = [];
  readonly open = new Set<number>();
  known: Whereabouts | undefined;
  found: NodeDescriptor | undefined;
  link: Link | undefined;
  lookingUp: Promise<void> | undefined;
  readonly links: NodeLinks;

  constructor() {
    const host = { find: () => this.link } as Pick<LinkHost, "find"> as LinkHost;
    this.links = new NodeLinks(host, {
      known: () => this.known,
      lookup: {
        lookup: async () => {
          this.log.push("lookup");
          await this.lookingUp;
          return this.found;
        },
      },
      dial: (target) => this.#dial(target),
    });
  }

  async #dial({ addresses, relays = [] }: ReachTarget): Promise<Link> {
    const ports = addresses.map(({ port }) => port);
    this.log.push(`dial ${ports.join()}${relays.length > 0 ? " relayed" : ""}`);
    if (!ports.some((port) => this.open.has(port))) throw new CulvertError("CULVERT_TIMEOUT");
    return { isOpen: true } as Link;
  }

  to(options?: { isLookedUp?: boolean }): Promise<unknown> {
    return this.links.to(peer.id, options).then(
      () => "linked",
      (error: CulvertError) => error.code,
    );
  }
}

describe("nodes that others name", () => {
  it("are looked for, however many another one names that do not exist", async () => {
    const rig = new Rig();
    rig.lookingUp = new Promise(() => {});
    const name = (from: number, i: number): void => {
      const id = nodeIdOf(Uint8Array.of(from, i));
      rig.links.toNamed(id, new Uint8Array(32).fill(from)).catch(() => {});
    };
    for (let i = 0; i < 64; i++) name(1, i);
    await Promise.resolve();
    const ofOne = rig.log.length;
    for (let i = 0; i < 64; i++) name(2, i);
    name(3, 0);
    await Promise.resolve();
    expect(ofOne).toBe(32);
    expect(rig.log.length).toBe(32 + 16 + 1);
  });

  it("are looked for, however many others name some that do not exist", async () => {
    const rig = new Rig();
    rig.lookingUp = new Promise(() => {});
    const name = (from: number, i: number): void => {
      const id = nodeIdOf(Uint8Array.of(from, i));
      rig.links.toNamed(id, new Uint8Array(32).fill(from)).catch(() => {});
    };
    for (let from = 1; from <= 12; from++) for (let i = 0; i < 64; i++) name(from, i);
    await Promise.resolve();
    const before = rig.log.length;
    name(13, 0);
    await Promise.resolve();
    expect(rig.log.length).toBe(before + 1);
  });

  it("are looked for, but not many at once", async () => {
    const rig = new Rig();
    let lookedUp = (): void => {};
    rig.lookingUp = new Promise((resolve) => {
      lookedUp = resolve;
    });
    const ids = Array.from({ length: 500 }, (_, i) => nodeIdOf(Uint8Array.of(i >> 8, i & 255)));
    const tried = ids.map((id) => rig.links.toNamed(id, id).catch((error) => error.code));
    await Promise.resolve();
    expect(rig.log).toEqual(Array(128).fill("lookup"));
    lookedUp();
    expect(new Set(await Promise.all(tried))).toEqual(new Set(["CULVERT_UNREACHABLE"]));
    // There is room again.
    rig.found = descriptor(7);
    rig.open.add(7);
    await rig.links.toNamed(peer.id);
    expect(rig.log.slice(128)).toEqual(["lookup", "dial 7"]);
  });
});

describe("the way to a node", () => {
  it("is the link that is open, and nobody is asked", async () => {
    const rig = new Rig();
    rig.link = { isOpen: true } as Link;
    expect([await rig.to(), rig.log]).toEqual(["linked", []]);
  });

  it("is where it is known to be, with its relays; then where it was hinted", async () => {
    const rig = new Rig();
    rig.open.add(1).add(3);
    rig.links.hint(peer.id, { addresses: [at(3)], relays: [] });
    expect(await rig.to()).toBe("linked");
    rig.known = { addresses: [at(1)], relays: [RELAY] };
    expect(await rig.to()).toBe("linked");
    expect(rig.log).toEqual(["dial 3", "dial 1 relayed"]);
  });

  it("is looked up when that leads nowhere, and tried again only at another place", async () => {
    const rig = new Rig();
    rig.known = { addresses: [at(1)], relays: [] };
    rig.found = descriptor(1);
    expect(await rig.to()).toBe("CULVERT_TIMEOUT");
    rig.found = descriptor(2);
    rig.open.add(2);
    expect(await rig.to()).toBe("linked");
    expect(rig.log).toEqual(["dial 1", "lookup", "dial 1", "lookup", "dial 2"]);
  });

  it("is not looked up for whoever came by himself", async () => {
    const rig = new Rig();
    rig.found = descriptor(2);
    rig.open.add(2);
    const code = await rig.to({ isLookedUp: false });
    expect([code, rig.log]).toEqual(["CULVERT_UNREACHABLE", []]);
  });

  it("that nobody knows is a failure at once", async () => {
    const rig = new Rig();
    expect([await rig.to(), rig.log]).toEqual(["CULVERT_UNREACHABLE", ["lookup"]]);
    rig.links.hint(peer.id, { addresses: [], relays: [] });
    expect(await rig.to()).toBe("CULVERT_UNREACHABLE");
  });

  it("is looked up for whoever wants that, also while it is sought without", async () => {
    const rig = new Rig();
    rig.known = { addresses: [at(1)], relays: [] };
    rig.found = descriptor(2);
    rig.open.add(2);
    const both = await Promise.all([rig.to({ isLookedUp: false }), rig.to()]);
    expect(both).toEqual(["CULVERT_TIMEOUT", "linked"]);
  });

  it("is not waited for that a lookup finds, by whoever may be asked in that lookup", async () => {
    const rig = new Rig();
    rig.known = { addresses: [at(1)], relays: [] };
    let answer = (): void => {};
    rig.lookingUp = new Promise((resolve) => {
      answer = resolve;
    });
    const sought = rig.to();
    expect(await rig.to({ isLookedUp: false })).toBe("CULVERT_TIMEOUT");
    answer();
    expect(await sought).toBe("CULVERT_TIMEOUT");
  });

  it("is sought once for all that want it meanwhile", async () => {
    const rig = new Rig();
    rig.known = { addresses: [at(1)], relays: [] };
    rig.open.add(1);
    expect(await Promise.all([rig.to(), rig.to(), rig.to()])).toHaveLength(3);
    expect(rig.log).toEqual(["dial 1"]);
  });
});
