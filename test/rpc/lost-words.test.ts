import { Duplex } from "node:stream";
import { expect, it } from "vitest";
import type { NodeId } from "../../src/identity/index.ts";
import { type ByteDuplex, type PeerLink, PeerLinks } from "../../src/rpc/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

const PEER = new Uint8Array(32).fill(7);

/** A link whose streams take what is written only when they are told to. */
class SlowLink implements PeerLink {
  readonly peer = PEER;
  readonly streams: Duplex[] = [];
  writtenBytes = 0;
  isOpen = true;
  isSlow = false;
  /** Whether its streams are gone by the time that they are given. */
  isShort = false;
  #held: () => void = () => {};
  #closed: () => void = () => {};

  async openStream(): Promise<ByteDuplex> {
    const stream = new Duplex({
      read: () => {},
      write: (chunk: Uint8Array, _encoding, done) => {
        this.writtenBytes += chunk.length;
        if (this.isSlow) this.#held = done;
        else done();
      },
    });
    this.streams.push(stream);
    if (this.isShort) await new Promise((resolve) => stream.destroy().once("close", resolve));
    return stream;
  }

  /** Takes what was held. */
  take(): void {
    this.isSlow = false;
    this.#held();
  }

  close(): void {
    this.isOpen = false;
    for (const stream of this.streams) stream.destroy();
    this.#closed();
  }

  handle(): () => void {
    return () => {};
  }

  onClose(listener: () => void): () => void {
    this.#closed = listener;
    return () => {};
  }
}

function rig(link: SlowLink) {
  const clock = new VirtualClock();
  let tell: (link: PeerLink) => void = () => {};
  const disturbed: NodeId[] = [];
  const carrier = new PeerLinks(
    {
      dial: async () => link,
      onLink: (listener) => {
        tell = listener;
        return () => {};
      },
    },
    { clock, limits: { idleKept: 0, cleanUpMs: 1_000 } },
  );
  carrier.start({ received: () => {}, disturbed: (peer) => void disturbed.push(peer) });
  const pass = (ms: number): Promise<void> => clock.runUntil(clock.now() + ms);
  const send = (bytes: number): void => carrier.send(PEER, new Uint8Array(bytes), () => {});
  return { carrier, disturbed, pass, send, tell: (made: PeerLink) => tell(made) };
}

it("a connection that was given back while it was full takes messages again", async () => {
  const link = new SlowLink();
  const { carrier, pass, send } = rig(link);
  link.isSlow = true;
  send(100_000);
  await pass(5_000);
  link.take();
  await pass(5_000);
  expect(link.writtenBytes).toBe(100_004);
  send(10);
  await pass(100);
  expect(link.writtenBytes).toBe(100_018);
  await carrier.close();
});

it("what was on its way over a link that another one took the place of may be lost", async () => {
  const [first, second] = [new SlowLink(), new SlowLink()];
  const { carrier, disturbed, pass, send, tell } = rig(first);
  send(10);
  await pass(1);
  tell(second);
  await pass(1);
  expect(disturbed).toEqual([]);
  first.close();
  await pass(1);
  expect(disturbed).toEqual([PEER]);
  await carrier.close();
});

it("what a stream still had to say when it was given back is lost with the stream", async () => {
  const link = new SlowLink();
  const { carrier, disturbed, pass, send } = rig(link);
  link.isSlow = true;
  send(100_000);
  await pass(5_000);
  expect(disturbed).toEqual([]);
  link.streams[0]?.destroy();
  await pass(1);
  expect(disturbed).toEqual([PEER]);
  await carrier.close();
});

it("a call whose stream was closed when it came keeps no connection", async () => {
  const link = new SlowLink();
  const { carrier, pass, send } = rig(link);
  send(10);
  await pass(1);
  const [messages] = link.streams;
  link.isShort = true;
  await carrier.openStream(PEER);
  await pass(5_000);
  expect(messages?.writableEnded).toBe(true);
  await carrier.close();
});

it("messages whose stream was closed when it came are lost, and not those after them", async () => {
  const link = new SlowLink();
  const { carrier, disturbed, pass, send } = rig(link);
  link.isShort = true;
  send(10);
  await pass(1);
  expect(disturbed).toEqual([PEER]);
  link.isShort = false;
  send(20);
  await pass(1);
  expect(link.writtenBytes).toBe(24);
  await carrier.close();
});
