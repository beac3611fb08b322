import { describe, expect, it } from "vitest";
import { SeededRandom, shortMemory } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { dhKeysOf } from "../../../src/link/channel/noise.ts";
import { giveBlock, takeBlock } from "../../../src/link/channel/record-memory.ts";
import { SecurePath } from "../../../src/link/channel/secure-path.ts";
import type { PathConnection, PathEvents } from "../../../src/link/index.ts";

const none = undefined;

/** One end of a connection that gives the memory of what was written back when it is told to. */
class HeldConnection implements PathConnection {
  other: HeldConnection | undefined;
  readonly held: { readonly bytes: Uint8Array; readonly done: (() => void) | undefined }[] = [];
  readonly unsentBytes = 0;
  #events: PathEvents | undefined;

  start(events: PathEvents): void {
    this.#events = events;
  }

  write(bytes: Uint8Array, done?: () => void): void {
    this.held.push({ bytes, done });
  }

  /** What was written arrives, late: whoever used its memory again has spoilt it. */
  pass(): void {
    const written = this.held.splice(0);
    for (const { bytes } of written) this.other?.receive(bytes.slice());
    for (const { done } of written) done?.();
  }

  receive(bytes: Uint8Array): void {
    this.#events?.receive(bytes);
  }

  setReading(): void {}
  close(): void {}
}

function pathOver(connection: HeldConnection, seed: number, isInitiator: boolean) {
  const identity = new NodeIdentity(new Uint8Array(32).fill(seed));
  const messages: Uint8Array[] = [];
  const failures: (Error | undefined)[] = [];
  const path = new SecurePath(connection, {
    identity: { publicKey: identity.publicKey, keys: dhKeysOf(identity.exposeSeed()) },
    network: "test",
    random: new SeededRandom(seed),
    isInitiator,
    clock: systemClock,
    events: {
      message: (payload) => messages.push(payload),
      datagram: () => {},
      drained: () => {},
      closed: (error) => failures.push(error),
    },
  });
  return { path, messages, failures };
}

describe("memory of records", () => {
  it("is used again when nobody needs it any more, and not before", () => {
    const [a, b] = [new HeldConnection(), new HeldConnection()];
    a.other = b;
    b.other = a;
    const near = pathOver(a, 1, true);
    const far = pathOver(b, 2, false);
    far.path.begin();
    near.path.begin();
    for (let round = 0; round < 3; round++) {
      a.pass();
      b.pass();
    }
    const sent: Uint8Array[] = [];
    const used = new Set<ArrayBufferLike>();
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 10; i++) {
        const payload = new Uint8Array(i % 2 === 0 ? 20_000 + i : 20 + i).fill(round * 10 + i);
        sent.push(payload);
        near.path.send(payload);
      }
      for (const { bytes } of a.held) if (bytes.length > 16_384) used.add(bytes.buffer);
      a.pass();
    }
    expect(far.failures).toEqual([]);
    expect(far.messages.map((message) => message.slice())).toEqual(sent);
    expect(used.size).toBe(5); // four rounds of five long records
  });

  it("comes in blocks that are kept up to a point", () => {
    for (const bytes of [9_000, 30_000]) {
      const take = (): ArrayBuffer[] =>
        Array.from({ length: 600 }, () => takeBlock(bytes)).filter((block) => block !== undefined);
      const taken = take();
      expect(new Set(taken).size).toBe(600);
      for (const block of taken) giveBlock(block);
      expect(take().filter((block) => taken.includes(block))).toHaveLength(512);
    }
  });

  it("comes in a block of which it fills at least half, or in none", () => {
    const sizes = [6_143, 6_144, 12_288, 12_289, 16_383, 16_384, 32_768, 32_769];
    const blocks = sizes.map((bytes) => takeBlock(bytes)?.byteLength);
    const [small, large] = [12_288, 32_768];
    expect(blocks).toEqual([none, small, small, none, none, large, large, none]);
  });

  it("is left alone when it was no block", () => {
    const other = new ArrayBuffer(20_000);
    giveBlock(other);
    expect(Array.from({ length: 200 }, () => takeBlock(20_000))).not.toContain(other);
  });

  it("comes in zeroed pieces of their own when it is short", () => {
    const pieces = Array.from({ length: 500 }, (_, i) => shortMemory(1 + (i % 90)));
    expect(pieces.every((piece) => piece.every((byte) => byte === 0))).toBe(true);
    for (const [i, piece] of pieces.entries()) piece.fill(1 + (i % 250));
    for (const [i, piece] of pieces.entries()) {
      expect(piece).toEqual(new Uint8Array(1 + (i % 90)).fill(1 + (i % 250)));
    }
    expect(shortMemory(5_000)).toEqual(new Uint8Array(5_000));
  });
});
