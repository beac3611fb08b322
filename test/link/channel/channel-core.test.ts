import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import {
  ChannelCore,
  type ChannelEffect,
  type ChannelInput,
} from "../../../src/link/channel/channel-core.ts";
import type { HandshakeOptions } from "../../../src/link/channel/handshake.ts";
import { dhKeysOf } from "../../../src/link/channel/noise.ts";
import { collectGarbage } from "../../collect-garbage.ts";
import { effectsOf } from "../../effects-of.ts";

const [A, B, C] = [1, 2, 3].map((n) => new NodeIdentity(new Uint8Array(32).fill(n))) as [
  NodeIdentity,
  NodeIdentity,
  NodeIdentity,
];

function core(who: NodeIdentity, options: Partial<HandshakeOptions> & { isInitiator: boolean }) {
  const keys = dhKeysOf(who.exposeSeed());
  const identity = { publicKey: who.publicKey, keys };
  const random = new SeededRandom(who.publicKey[0] ?? 0);
  return new ChannelCore({ identity, network: "test", random, ...options });
}

function handle(channel: ChannelCore, input: ChannelInput): ChannelEffect[] {
  channel.handle(input, 0);
  return [...effectsOf(channel)];
}

/** Gives it a copy: what it was given it opens where it lies, and again it would be other bytes. */
const receive = (channel: ChannelCore, bytes: Uint8Array) =>
  handle(channel, { kind: "bytes", bytes: bytes.slice() });
const written = (effects: readonly ChannelEffect[]) =>
  effects.flatMap((effect) => (effect.kind === "write" ? [effect.bytes] : []));
const failure = (effects: readonly ChannelEffect[]) =>
  effects.flatMap((effect) => (effect.kind === "fail" ? [effect.error.code] : []))[0];

/** Lets both talk until nothing is left to say. */
function talk(a: ChannelCore, b: ChannelCore) {
  const log: { a: ChannelEffect[]; b: ChannelEffect[] } = { a: [], b: [] };
  let effects = handle(a, { kind: "begin" });
  handle(b, { kind: "begin" });
  let isA = true;
  while (effects.length > 0) {
    log[isA ? "a" : "b"].push(...effects);
    const to = isA ? b : a;
    isA = !isA;
    effects = written(effects).flatMap((bytes) => receive(to, bytes));
  }
  log[isA ? "a" : "b"].push(...effects);
  return log;
}

const peerOf = (effects: readonly ChannelEffect[]) =>
  effects.flatMap((effect) => (effect.kind === "ready" ? [toHex(effect.peerKey)] : []))[0];

function pair(options: Partial<HandshakeOptions> = {}): [ChannelCore, ChannelCore] {
  const both = [
    core(A, { isInitiator: true, ...options }),
    core(B, { isInitiator: false }),
  ] as const;
  talk(both[0], both[1]);
  return [both[0], both[1]];
}

describe("the handshake of a channel", () => {
  it.each([
    ["XX", {}],
    ["IK", { peerKey: B.publicKey, expectedId: B.id }],
  ])("proves both ends with %s", (_name, options) => {
    const a = core(A, { isInitiator: true, ...options });
    const log = talk(a, core(B, { isInitiator: false }));
    expect([peerOf(log.a), peerOf(log.b)]).toEqual([toHex(B.publicKey), toHex(A.publicKey)]);
  });

  it("leaves nothing behind by which the keys of records could be found", async () => {
    const b = core(B, { isInitiator: false });
    const shaken = (): [WeakRef<object>, ChannelCore] => {
      const random = new SeededRandom(7);
      const a = core(A, { isInitiator: true, random });
      talk(a, b);
      return [new WeakRef(random), a];
    };
    const [secrets, a] = shaken();
    await collectGarbage();
    expect(secrets.deref()).toBeUndefined();
    expect(a.seal(new Uint8Array(1))).toHaveLength(19);
  });

  it("refuses another node than the one that was asked for, before it says who asks", () => {
    const a = core(A, { isInitiator: true, expectedId: C.id });
    const log = talk(a, core(B, { isInitiator: false }));
    expect(failure(log.a)).toBe("CULVERT_WRONG_PEER");
    expect(written(log.a)).toHaveLength(1);
    expect(peerOf(log.b)).toBeUndefined();
  });

  it("refuses a key that is not that of the id, and one that is no key", () => {
    const wrong = core(A, { isInitiator: true, expectedId: C.id, peerKey: B.publicKey });
    expect(failure(handle(wrong, { kind: "begin" }))).toBe("CULVERT_WRONG_PEER");
    const none = core(A, { isInitiator: true, peerKey: new Uint8Array(32).fill(255) });
    expect(failure(handle(none, { kind: "begin" }))).toBe("CULVERT_WRONG_PEER");
  });

  it.each([{}, { peerKey: A.publicKey }])("refuses oneself %#", (options) => {
    const log = talk(core(A, { isInitiator: true, ...options }), core(A, { isInitiator: false }));
    expect(failure(log.a) ?? failure(log.b)).toBe("CULVERT_WRONG_PEER");
  });

  it("refuses a forged identity: the key of another beside one's own proof", () => {
    const forged = { publicKey: C.publicKey, keys: dhKeysOf(B.exposeSeed()) };
    const b = core(B, { isInitiator: false, identity: forged });
    expect(failure(talk(core(A, { isInitiator: true }), b).a)).toBe("CULVERT_WRONG_PEER");
    const a = core(A, { isInitiator: true, identity: forged, peerKey: A.publicKey });
    const log = talk(a, core(A, { isInitiator: false }));
    expect(failure(log.b)).toBe("CULVERT_WRONG_PEER");
  });

  it("fails between networks, and when version or pattern are changed on the way", () => {
    const stranger = core(B, { isInitiator: false, network: "other" });
    expect(failure(talk(core(A, { isInitiator: true, peerKey: B.publicKey }), stranger).b)).toBe(
      "CULVERT_PROTOCOL",
    );
    for (const [at, value] of [
      [2, 2],
      [3, 0],
      [3, 7],
    ] as const) {
      const begun = handle(core(A, { isInitiator: true, peerKey: B.publicKey }), { kind: "begin" });
      const [first] = written(begun);
      const effects = receive(
        core(B, { isInitiator: false }),
        (first as Uint8Array).with(at, value),
      );
      // A downgrade of IK to XX is answered; the initiator does not take that.
      if (failure(effects) === undefined) expect([at, value]).toEqual([3, 0]);
      else expect(failure(effects)).toBe("CULVERT_PROTOCOL");
    }
  });

  it("is not over for a replayed first message: whoever replays it cannot go on", () => {
    const [first] = written(
      handle(core(A, { isInitiator: true, peerKey: B.publicKey }), { kind: "begin" }),
    );
    const b = core(B, { isInitiator: false });
    const effects = receive(b, first as Uint8Array);
    // IK lets the responder speak first; what it says only A can read, and no message has come.
    expect(effects.map(({ kind }) => kind)).toEqual(["write", "ready"]);
    expect(failure(receive(b, first as Uint8Array))).toBe("CULVERT_DECRYPT_FAILED");
  });

  it("survives whatever comes instead", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, isInitiator) => {
        const channel = core(A, { isInitiator });
        handle(channel, { kind: "begin" });
        const effects = receive(channel, bytes);
        expect(peerOf(effects)).toBeUndefined();
        const code = failure(effects);
        if (code !== undefined) expect(code).toBe("CULVERT_PROTOCOL");
      }),
    );
  });

  it("refuses a message longer than any of a handshake before it has come", () => {
    expect(failure(receive(core(B, { isInitiator: false }), Uint8Array.of(1, 1)))).toBe(
      "CULVERT_PROTOCOL",
    );
  });
});

describe("the records of a channel", () => {
  const send = (channel: ChannelCore, payload: Uint8Array) => channel.seal(payload) as Uint8Array;

  it.each([
    ["each in memory of its own", (all: Uint8Array, at: number, to: number) => all.slice(at, to)],
    ["one behind the other", (all: Uint8Array, at: number, to: number) => all.subarray(at, to)],
  ])("arrive whole, in pieces and byte by byte, %s", (_name, cut) => {
    const payloads = [0, 1, 100, 65_519].map((length) => new SeededRandom(length).bytes(length));
    for (const pieceBytes of [1, 3, 1_000, 200_000]) {
      const [a, b] = pair();
      const bytes = payloads.map((payload) => send(a, payload));
      const all = Uint8Array.from(bytes.flatMap((record) => [...record]));
      const got: Uint8Array[] = [];
      for (let at = 0; at < all.length; at += pieceBytes) {
        const piece = cut(all, at, at + pieceBytes);
        // What only goes on with a record need not be an input.
        const effects = b.absorb(piece) ? [] : receive(b, piece);
        for (const effect of effects) {
          if (effect.kind === "message") got.push(effect.payload);
        }
      }
      expect(got.map(toHex)).toEqual(payloads.map(toHex));
    }
  });

  it.each([
    ["changed", (records: Uint8Array[]) => [records[0]?.with(9, (records[0][9] ?? 0) ^ 1)]],
    ["repeated", (records: Uint8Array[]) => [records[0], records[0]]],
    ["left out", (records: Uint8Array[]) => [records[1]]],
    ["swapped", (records: Uint8Array[]) => [records[1], records[0]]],
    ["empty", () => [Uint8Array.of(0, 0)]],
    ["shorter than its tag", () => [Uint8Array.of(0, 3, 1, 2, 3)]],
    ["of another channel", () => [send(pair()[0], Uint8Array.of(1))]],
  ])("end it when one is %s", (_name, spoil) => {
    const a = core(A, { isInitiator: true, random: new SeededRandom(99) });
    const b = core(B, { isInitiator: false });
    talk(a, b);
    const records = [1, 2].map((byte) => send(a, Uint8Array.of(byte)));
    const effects = spoil(records).flatMap((bytes) => receive(b, bytes as Uint8Array));
    expect(failure(effects)).toBe("CULVERT_DECRYPT_FAILED");
    expect(receive(b, records[0] as Uint8Array)).toEqual([]);
  });

  it("lets datagrams come in any order, once, and drops what is forged", () => {
    const [a, b] = pair();
    const sealed = Array.from({ length: 1_100 }, (_, at) => {
      const effects = handle(a, { kind: "send-datagram", payload: Uint8Array.of(at % 256) });
      return effects.flatMap((effect) =>
        effect.kind === "write-datagram" ? [effect.bytes] : [],
      )[0];
    }) as Uint8Array[];
    // A copy each time: it is opened where it lies.
    const opened = (bytes: Uint8Array) =>
      handle(b, { kind: "datagram", bytes: bytes.slice() }).length;
    const at = (index: number) => opened(sealed[index] as Uint8Array);
    expect([at(5), at(5), at(3), at(5), at(3), at(4)]).toEqual([1, 0, 1, 0, 0, 1]);
    expect(opened((sealed[9] as Uint8Array).with(7, 0xaa))).toBe(0);
    expect([at(1_099), at(3), at(6), at(1_098), at(100), at(1_099)]).toEqual([1, 0, 0, 1, 1, 0]);
    expect([opened(new Uint8Array(3)), b.droppedDatagrams]).toEqual([0, 8]);
  });

  it("takes late datagrams also when the window has moved over where others were", () => {
    const [a, b] = pair();
    const sealed = Array.from({ length: 3_000 }, () => {
      const [effect] = handle(a, { kind: "send-datagram", payload: Uint8Array.of(1) });
      return effect?.kind === "write-datagram" ? effect.bytes : new Uint8Array(0);
    });
    const at = (index: number) =>
      handle(b, { kind: "datagram", bytes: (sealed[index] as Uint8Array).slice() }).length;
    for (let index = 0; index < 1_024; index++) at(index);
    expect([at(1_500), at(1_400), at(1_499), at(2_999), at(2_424)]).toEqual([1, 1, 1, 1, 1]);
    expect(b.droppedDatagrams).toBe(0);
  });
});
