import { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { CulvertError, type ErrorCode } from "../../../src/base/index.ts";
import { Writer } from "../../../src/codec/index.ts";
import { CONNECTION_LIMITS } from "../../../src/rpc/connection/connection-limits.ts";
import { CALL_PROTOCOL, MESSAGE_PROTOCOL } from "../../../src/rpc/connection/peer-link.ts";
import { type ByteDuplex, type PeerLink, PeerLinks, Requests } from "../../../src/rpc/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryLinks } from "../memory-links.ts";

const PEER = new Uint8Array(32).fill(7);

/** A node whose dials all fail with this code. */
function lonely(code: ErrorCode) {
  const clock = new VirtualClock();
  const dial = () => Promise.reject(new CulvertError(code));
  const carrier = new PeerLinks({ dial, onLink: () => () => {} }, { clock });
  const requests = new Requests({ carrier, handler: (request) => request.body, clock });
  return { clock, carrier, requests };
}

describe("a peer that no link leads to", () => {
  it.each([
    ["by a limit, is busy", "CULVERT_BUSY", "CULVERT_BUSY"],
    ["is unreachable", "CULVERT_UNREACHABLE", "CULVERT_UNREACHABLE"],
    ["since it is another, is unreachable", "CULVERT_WRONG_PEER", "CULVERT_UNREACHABLE"],
  ] as const)("%s", async (_, failure, code) => {
    const { clock, carrier, requests } = lonely(failure);
    const asked = requests.request(PEER, "ask", new Uint8Array(1)).catch((error) => error.code);
    expect(await clock.runPromise(asked, 1_000)).toBe(code);
    const opened = carrier.openStream(PEER).catch((error) => error.code);
    expect(await clock.runPromise(opened, 1_000)).toBe(code);
    await requests.close({ drainMs: 0 });
  });
});

it("a peer that takes no streams keeps no more waiting here than its share", async () => {
  const clock = new VirtualClock();
  const link: PeerLink = {
    peer: PEER,
    isOpen: true,
    openStream: () => new Promise(() => {}),
    handle: () => () => {},
    onClose: () => () => {},
  };
  const carrier = new PeerLinks(
    { dial: async () => link, onLink: () => () => {} },
    { clock, limits: { queuedBytesPerPeerMax: 10_000 } },
  );
  const send = (): boolean => {
    let isRefused = false;
    carrier.send(PEER, new Uint8Array(1_000), () => {
      isRefused = true;
    });
    return isRefused;
  };
  expect(send()).toBe(false);
  await clock.runUntil(1);
  // One is with the stream that is to come.
  expect(Array.from({ length: 12 }, send)).toEqual([...Array(10).fill(false), true, true]);
  await carrier.close();
});

it("a stream that waits for its link is told that nothing is carried any more", async () => {
  const clock = new VirtualClock();
  const dial = () => new Promise<never>(() => {});
  const carrier = new PeerLinks({ dial, onLink: () => () => {} }, { clock });
  const opened = carrier.openStream(PEER).catch((error) => error.code);
  await carrier.close();
  expect(await clock.runPromise(opened, 1_000)).toBe("CULVERT_CLOSED");
});

it("takes no streams of calls once it is closed, though its links go on", async () => {
  const network = new MemoryLinks();
  const [caller, callee] = [network.join(), network.join()];
  const carrier = new PeerLinks(callee, { clock: new VirtualClock() });
  let taken = 0;
  carrier.onStream((_peer, stream) => {
    taken += 1;
    stream.destroy();
  });
  carrier.start({ received: () => {}, disturbed: () => {} });
  const link = await caller.dial(callee.id);
  const call = async (): Promise<void> => {
    const stream = await link.openStream(CALL_PROTOCOL);
    await new Promise((resolve) => stream.on("close", resolve).resume());
  };
  await call();
  expect(taken).toBe(1);
  await carrier.close();
  await call();
  expect(taken).toBe(1);
});

/** A link to nobody: it says nothing by itself. */
class QuietLink implements PeerLink {
  readonly peer = PEER;
  isOpen = true;
  readonly opened: Duplex[] = [];
  readonly takers = new Map<string, (stream: ByteDuplex) => void>();
  breaksWhenUsed = false;
  #closed: () => void = () => {};

  openStream(): Promise<ByteDuplex> {
    if (this.breaksWhenUsed) this.break();
    const stream = silence();
    this.opened.push(stream);
    return this.isOpen
      ? Promise.resolve(stream)
      : Promise.reject(new CulvertError("CULVERT_CLOSED"));
  }

  handle(protocol: string, onStream: (stream: ByteDuplex) => void): () => void {
    this.takers.set(protocol, onStream);
    return () => this.takers.delete(protocol);
  }

  onClose(listener: () => void): () => void {
    this.#closed = listener;
    return () => {};
  }

  break(): void {
    this.isOpen = false;
    this.#closed();
  }
}

const silence = (): Duplex =>
  new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });

it("a message for a link that broke under the one before it could not be sent", async () => {
  const clock = new VirtualClock();
  const link = new QuietLink();
  link.breaksWhenUsed = true;
  let dials = 0;
  const dial = (): Promise<PeerLink> => {
    dials += 1;
    return dials === 1 ? Promise.resolve(link) : new Promise(() => {});
  };
  const carrier = new PeerLinks({ dial, onLink: () => () => {} }, { clock });
  const unsent: number[] = [];
  for (const message of [1, 2, 3]) {
    carrier.send(PEER, new Uint8Array(10), () => unsent.push(message));
  }
  await clock.runUntil(1);
  // The first was with the link: what became of it nobody knows.
  expect(unsent).toEqual([2, 3]);
  await carrier.close();
});

it("keeps its stream to a peer that talks, and gives it back when that falls silent", async () => {
  const clock = new VirtualClock();
  const link = new QuietLink();
  const carrier = new PeerLinks({ dial: async () => link, onLink: () => () => {} }, { clock });
  let received = 0;
  carrier.start({
    received: () => {
      received += 1;
    },
    disturbed: () => {},
  });
  carrier.send(PEER, new Uint8Array(10), () => {});
  await clock.runUntil(1);
  const theirs = silence();
  link.takers.get(MESSAGE_PROTOCOL)?.(theirs);
  const isGivenBack = (): boolean | undefined => link.opened[0]?.writableEnded;
  const { idleMs, cleanUpMs } = CONNECTION_LIMITS;
  const said = new Writer(5).u32(1).bytes(Uint8Array.of(7)).finish();
  for (let word = 1; word <= 10; word++) {
    theirs.push(said);
    theirs.read();
    await clock.runUntil(clock.now() + idleMs / 2);
    expect([received, isGivenBack()]).toEqual([word, false]);
  }
  await clock.runUntil(clock.now() + idleMs / 2 + cleanUpMs);
  expect([link.opened.length, isGivenBack()]).toEqual([1, true]);
  await carrier.close();
});
