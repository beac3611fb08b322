import { describe, expect, it } from "vitest";
import { LinkCore } from "../../src/link/host/link-core.ts";
import type { LinkEffect } from "../../src/link/host/protocol.ts";
import { LINK_LIMITS } from "../../src/link/index.ts";
import { encodeControl } from "../../src/link/mux/link-records.ts";

const PEER = { streams: LINK_LIMITS.streamsInMax, streamWindow: LINK_LIMITS.streamWindowBytes };

/** One end of a link: what it has to send, and what has come. */
class End {
  readonly core: LinkCore;
  readonly outbox: Uint8Array[] = [];
  readonly data: number[] = [];
  over: LinkEffect | undefined;

  constructor(isInitiator: boolean) {
    this.core = new LinkCore({ limits: LINK_LIMITS, isInitiator, peer: PEER, now: 0 });
  }

  give(input: Parameters<LinkCore["handle"]>[0]): void {
    this.core.handle(input, 0);
    for (let effect = this.core.poll(); effect !== undefined; effect = this.core.poll()) {
      if (effect.kind === "send") this.outbox.push(effect.payload);
      if (effect.kind === "data") this.data.push(...effect.bytes);
      if (effect.kind === "over") this.over = effect;
    }
  }

  /** Gives everything that waits here to the other end. */
  flushTo(other: End): void {
    for (const payload of this.outbox.splice(0)) other.give({ kind: "message", payload });
  }
}

describe("a link that moves", () => {
  it("does not lose count when the peer acknowledges what is being repeated", () => {
    const [a, b] = [new End(true), new End(false)];
    for (const end of [a, b]) {
      end.give({ kind: "path", peerReceived: 0, receivedTold: 0 });
      end.give({ kind: "room", bytes: 1_000_000 });
    }
    a.give({ kind: "open", ticket: 1, protocol: "test", priority: "normal" });
    const write = (byte: number): void => {
      a.give({ kind: "write", id: 0, chunks: [Uint8Array.of(byte)] });
    };
    for (const byte of [1, 2, 3]) write(byte);
    // The peer is asked how much it has while all of it is still under way, and then it arrives.
    const told = b.core.received;
    a.flushTo(b);
    a.give({ kind: "room", bytes: 0 });
    a.give({ kind: "path", peerReceived: told, receivedTold: 0 });
    b.give({ kind: "path", peerReceived: 0, receivedTold: told });
    // On the new path there is room for one record when the acknowledgement of all comes.
    a.give({ kind: "room", bytes: 1 });
    b.core.timeout(1_000);
    b.give({ kind: "room", bytes: 1_000_000 });
    b.flushTo(a);
    a.give({ kind: "room", bytes: 1_000_000 });
    for (const byte of [4, 5, 6]) write(byte);
    a.flushTo(b);
    expect(b.over).toBeUndefined();
    expect(b.data).toEqual([1, 2, 3, 4, 5, 6]);
    b.core.timeout(2_000);
    b.give({ kind: "room", bytes: 1_000_000 });
    b.flushTo(a);
    a.core.timeout(60_000);
    expect(a.over, "nothing is owed any more").toBeUndefined();
  });

  it("acknowledges nothing over a path whose peer was told of all", () => {
    const [end, peer] = [new End(true), new End(false)];
    peer.give({ kind: "path", peerReceived: 0, receivedTold: 0 });
    peer.give({ kind: "room", bytes: 4_096 });
    const saysOver = (receivedTold: number): number => {
      end.give({ kind: "path", peerReceived: 0, receivedTold });
      end.core.timeout(1_000);
      end.give({ kind: "room", bytes: 4_096 });
      return end.outbox.splice(0).length;
    };
    expect(saysOver(0)).toBe(0);
    peer.give({ kind: "open", ticket: 1, protocol: "test", priority: "normal" });
    peer.flushTo(end);
    expect(saysOver(0), "one has come that the peer was not told of").toBe(1);
    expect(saysOver(1)).toBe(0);
  });

  it("takes what the peer told for a path before it acknowledged more over the old one", () => {
    const [a, b] = [new End(true), new End(false)];
    for (const end of [a, b]) {
      end.give({ kind: "path", peerReceived: 0, receivedTold: 0 });
      end.give({ kind: "room", bytes: 1_000_000 });
    }
    a.give({ kind: "open", ticket: 1, protocol: "test", priority: "normal" });
    const write = (byte: number): void => {
      a.give({ kind: "write", id: 0, chunks: [Uint8Array.of(byte)] });
    };
    const told = b.core.received;
    for (const byte of [1, 2, 3]) write(byte);
    a.flushTo(b);
    b.core.timeout(1_000);
    b.give({ kind: "room", bytes: 1_000_000 });
    b.flushTo(a);
    a.give({ kind: "path", peerReceived: told, receivedTold: 0 });
    b.give({ kind: "path", peerReceived: 0, receivedTold: told });
    for (const byte of [4, 5]) write(byte);
    a.flushTo(b);
    expect([a.over, b.over]).toEqual([undefined, undefined]);
    expect(b.data).toEqual([1, 2, 3, 4, 5]);
  });

  it("ends when the peer acknowledges what was never sent, or takes its word back", () => {
    for (const acknowledged of [[3], [2, 1]]) {
      const a = new End(true);
      a.give({ kind: "path", peerReceived: 0, receivedTold: 0 });
      a.give({ kind: "room", bytes: 1_000_000 });
      a.give({ kind: "open", ticket: 1, protocol: "test", priority: "normal" });
      a.give({ kind: "write", id: 0, chunks: [Uint8Array.of(1)] });
      expect(a.outbox).toHaveLength(2);
      for (const received of acknowledged) {
        expect(a.over).toBeUndefined();
        a.give({ kind: "message", payload: encodeControl({ kind: "ack", received }) });
      }
      expect(a.over).toMatchObject({ error: { code: "CULVERT_PROTOCOL" } });
    }
  });

  it("ends when the peer claims what was never sent, or has forgotten too much", () => {
    for (const peerReceived of [99, -100_000]) {
      const a = new End(true);
      a.give({ kind: "path", peerReceived, receivedTold: 0 });
      expect(a.over).toMatchObject({ error: { code: "CULVERT_PROTOCOL" } });
    }
  });
});
