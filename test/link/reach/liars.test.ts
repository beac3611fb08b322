import { describe, expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import type { LinkStream } from "../../../src/link/index.ts";
import { CALL_PROTOCOL, encodeFrame, RELAY_PROTOCOL } from "../../../src/link/relay/frames.ts";
import { Voucher } from "../../../src/link/relay/voucher.ts";
import { type ReachNode, ReachWorld } from "./reach-world.ts";

/** What a relay of ours does with the two halves of a circuit. */
type Join = (calling: LinkStream, called: LinkStream) => void;

/** A node that speaks the protocol of relays and does with circuits what the test says. */
function beRelay(
  world: ReachWorld,
  relay: ReachNode,
  options: { readonly callee?: (asked: Uint8Array) => Uint8Array; readonly join: Join },
): void {
  relay.host.handle(RELAY_PROTOCOL, (stream, link) => {
    stream.on("error", () => {});
    stream.once("data", (bytes: Uint8Array) => {
      const issuedAtUnixS = Math.floor(world.clock.unixMs() / 1_000);
      const voucher = Voucher.sign(relay.identity, {
        holder: link.peer,
        issuedAtUnixS,
        expiresAtUnixS: issuedAtUnixS + 3_600,
        quotaBytes: 1e9,
        bytesPerSecond: 1e6,
      });
      if (bytes[0] === 0) {
        stream.write(encodeFrame({ kind: "reserved", voucher: voucher.toBytes() }));
        return;
      }
      const target = options.callee?.(bytes.slice(3)) ?? bytes.slice(3);
      const callee = relay.host.find(target);
      callee?.openStream(CALL_PROTOCOL).then((called) => {
        called.on("error", () => {});
        called.write(encodeFrame({ kind: "call", caller: link.peer }));
        called.once("data", () => {
          stream.write(encodeFrame({ kind: "connected" }));
          options.join(stream, called);
        });
      }, stream.destroy);
    });
  });
}

const pipe: Join = (calling, called) => {
  calling.pipe(called);
  called.pipe(calling);
};

async function place(join: Join, callee?: (asked: Uint8Array) => Uint8Array) {
  const world = new ReachWorld({ seed: 1 });
  const relay = await world.add({ addresses: ["192.0.2.1"] });
  beRelay(world, relay, { join, ...(callee === undefined ? {} : { callee }) });
  const hidden = { hasUdp: false } as const;
  const left = await world.add({
    addresses: ["10.1.0.2"],
    behind: world.nat("symmetric"),
    ...hidden,
  });
  const right = await world.add({
    addresses: ["10.2.0.2"],
    behind: world.nat("symmetric"),
    ...hidden,
  });
  await world.reserve(right, relay);
  const dial = async (): Promise<unknown> => {
    const dialled = left.reach.dial(right.target).catch((error: unknown) => error);
    return world.clock.runPromise(dialled, 120_000);
  };
  return { world, relay, left, right, dial };
}

/** The code at the bottom of an error's causes. */
function rootCode(error: unknown): string | undefined {
  let found = error;
  while (found instanceof Error) {
    const [first] = found instanceof AggregateError ? found.errors : [found.cause];
    if (first === undefined) break;
    found = first;
  }
  return found instanceof CulvertError ? found.code : undefined;
}

describe("a relay of ours that is honest", () => {
  it("is good enough for a link: what follows fails for its lies alone", async () => {
    const { world, right, dial } = await place(pipe);
    expect(await dial()).toMatchObject({ isRelayed: true, peer: right.id });
    await world.close();
  });
});

describe("a relay that lies", () => {
  it("cannot connect somebody else", async () => {
    const others: ReachNode[] = [];
    const { world, relay, dial } = await place(pipe, () => others[0]?.id ?? new Uint8Array(32));
    const other = await world.add({ addresses: ["192.0.2.77"] });
    others.push(other);
    await world.reserve(other, relay);
    expect(rootCode(await dial())).toBe("CULVERT_WRONG_PEER");
    await world.close();
  });

  it("cannot say a word of its own, from the first byte on", async () => {
    const { world, left, right, dial } = await place((calling, called) => {
      called.on("data", (bytes: Uint8Array) => {
        const changed = Uint8Array.from(bytes);
        changed[changed.length - 1] = (changed[changed.length - 1] ?? 0) ^ 1;
        calling.write(changed);
      });
      calling.pipe(called);
    });
    expect(await dial()).toMatchObject({ code: "CULVERT_UNREACHABLE" });
    expect(left.host.find(right.id)).toBeUndefined();
    await world.close();
  });

  it("cannot change a stream later: the link takes another path", async () => {
    let passed = 0;
    const { world, right, dial } = await place((calling, called) => {
      calling.pipe(called);
      called.on("data", (bytes: Uint8Array) => {
        passed += bytes.length;
        const changed = Uint8Array.from(bytes);
        // Once, in the midst of the first circuit's bytes.
        if (passed > 20_000 && passed - bytes.length <= 20_000) changed[0] = (changed[0] ?? 0) ^ 1;
        calling.write(changed);
      });
    });
    right.host.handle("source", (stream) => {
      stream.on("error", () => {});
      stream.end(new Uint8Array(60_000).fill(7));
    });
    const link = await dial();
    if (link instanceof Error || typeof link !== "object" || link === null) throw link;
    const { openStream } = link as { openStream: (protocol: string) => Promise<LinkStream> };
    const stream = await world.clock.runPromise(openStream.call(link, "source"), 10_000);
    stream.on("error", () => {});
    let [received, wrong] = [0, 0];
    stream.on("data", (bytes: Uint8Array) => {
      received += bytes.length;
      wrong += bytes.filter((byte) => byte !== 7).length;
    });
    await world.clock.runUntil(() => received >= 60_000, 120_000);
    expect([received, wrong]).toEqual([60_000, 0]);
    await world.close();
  });

  it("cannot have a link called as fast as it cuts circuits", async () => {
    let circuits = 0;
    let clock: ReachWorld["clock"] | undefined;
    const { world, dial } = await place((calling, called) => {
      circuits += 1;
      pipe(calling, called);
      clock?.schedule(clock.now() + 500, () => {
        calling.destroy();
        called.destroy();
      });
    });
    clock = world.clock;
    expect(await dial()).toMatchObject({ isRelayed: true });
    await world.clock.runUntil(world.clock.now() + 120_000);
    // Waits of 0, 250, 500, ... 4,000 ms, and 4,000 from then on.
    expect(circuits).toBeGreaterThan(10);
    expect(circuits).toBeLessThan(40);
    await world.close();
  });

  it("that takes no stream is given up in time, for one that does", async () => {
    const world = new ReachWorld({ seed: 1 });
    const limits = { streamsInMax: 1 };
    const full = await world.add({ addresses: ["192.0.2.1"], relay: {}, limits });
    const good = await world.add({ addresses: ["192.0.2.2"], relay: {} });
    const hidden = { hasUdp: false } as const;
    const left = await world.add({ addresses: ["10.1.0.2"], behind: world.nat("symmetric") });
    const right = await world.add({
      addresses: ["10.2.0.2"],
      behind: world.nat("symmetric"),
      ...hidden,
    });
    await world.reserve(right, good);
    full.host.handle("held", (stream) => stream.on("error", () => {}).resume());
    const toFull = { id: full.id, addresses: full.publicAddresses };
    const link = await world.clock.runPromise(left.host.dial(toFull), 10_000);
    const held = await world.clock.runPromise(link.openStream("held"), 10_000);
    held.on("error", () => {});
    const dialled = left.reach.dial({ ...right.target, relays: [full.id, good.id] });
    expect(await world.clock.runPromise(dialled, 60_000)).toMatchObject({ isOpen: true });
    await world.close();
  });

  it("that never connects is given up in time", async () => {
    const { world, dial } = await place(() => {});
    const before = world.clock.now();
    expect(await dial()).toMatchObject({ code: "CULVERT_UNREACHABLE" });
    expect(world.clock.now() - before).toBeLessThan(40_000);
    await world.close();
  });
});

describe("a relay that gave a voucher for somebody else", () => {
  it("is not asked again, whoever proposes it", async () => {
    const world = new ReachWorld({ seed: 3 });
    const [relay, node] = [
      await world.add({ addresses: ["192.0.2.1"] }),
      await world.add({ addresses: ["192.0.2.2"] }),
    ];
    let asked = 0;
    relay.host.handle(RELAY_PROTOCOL, (stream) => {
      asked += 1;
      stream.on("error", () => {});
      const claims = { holder: relay.id, issuedAtUnixS: 1, expiresAtUnixS: 2 };
      const voucher = Voucher.sign(relay.identity, { ...claims, quotaBytes: 1, bytesPerSecond: 1 });
      stream.write(encodeFrame({ kind: "reserved", voucher: voucher.toBytes() }));
    });
    const target = { id: relay.id, addresses: relay.publicAddresses };
    let changes = 0;
    node.reach.onPlaces(() => {
      changes += 1;
    });
    expect(node.reach.keepPlace(target)).toBe(true);
    await world.clock.runUntil(() => changes > 0, 30_000);
    expect(node.reach.keepPlace(target)).toBe(false);
    await world.clock.runUntil(world.clock.now() + 600_000);
    expect(asked).toBe(1);
    await world.close();
  });
});

describe("addresses that belong to somebody else", () => {
  it("lead to nobody: the id that was dialled has to be proved", async () => {
    const world = new ReachWorld({ seed: 2 });
    const [left, right] = [
      await world.add({ addresses: ["192.0.2.1"] }),
      await world.add({ addresses: ["192.0.2.2"] }),
    ];
    const target = { id: new Uint8Array(32).fill(9), addresses: right.publicAddresses };
    const dialled = left.reach.dial(target).catch((error: unknown) => error);
    const error = await world.clock.runPromise(dialled, 60_000);
    expect(rootCode(error)).toBe("CULVERT_WRONG_PEER");
    expect(left.host.links()).toEqual([]);
    await world.close();
  });
});
