import { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { concatBytes, utf8 } from "../../../src/base/index.ts";
import { Writer } from "../../../src/codec/index.ts";
import { MessageLane } from "../../../src/rpc/connection/message-lane.ts";
import type { ByteDuplex, PeerLink } from "../../../src/rpc/index.ts";

const MESSAGE_BYTES_MAX = 1_000_000;

const silent: PeerLink["openStream"] = () =>
  Promise.reject(new Error("nothing is said to the peer here"));

/** A lane whose peer opens streams to it. */
function lane(openStream = silent) {
  const received: string[] = [];
  let take: (stream: ByteDuplex) => void = () => {};
  const link: PeerLink = {
    peer: new Uint8Array(32),
    isOpen: true,
    openStream,
    handle: (_protocol, onStream) => {
      take = onStream;
      return () => {};
    },
    onClose: () => () => {},
  };
  const made = new MessageLane(
    link,
    {
      received: (bytes) => received.push(new TextDecoder().decode(bytes)),
      full: () => {},
      disturbed: () => {},
      closed: () => {},
    },
    MESSAGE_BYTES_MAX,
  );
  const open = (): Duplex => {
    const stream = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
    take(stream);
    return stream;
  };
  return { made, received, open };
}

const framed = (text: string): Uint8Array =>
  concatBytes(new Writer(4).u32(text.length).finish(), utf8(text));

describe("the messages of a peer", () => {
  it("come on two streams at the most: each may hold a message that is not whole", () => {
    const { received, open } = lane();
    const streams = Array.from({ length: 20 }, open);
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([
      ...[false, false],
      ...Array.from({ length: 18 }, () => true),
    ]);
    streams[1]?.push(framed("heard"));
    streams[1]?.read();
    expect(received).toEqual(["heard"]);
  });

  it("come on one after the other, however many: an ended one makes room", async () => {
    const { received, open } = lane();
    for (let at = 0; at < 20; at++) {
      const stream = open();
      const closed = new Promise((resolve) => stream.once("close", resolve));
      stream.push(framed(`${at}`));
      stream.push(null);
      await closed;
    }
    expect(received).toEqual(Array.from({ length: 20 }, (_, at) => `${at}`));
  });
});

describe("a stream of messages", () => {
  it.each([
    ["is longer than any may be", MESSAGE_BYTES_MAX + 1],
    ["is empty", 0],
  ])("ends with one that %s, and nothing behind it is read", async (_, length) => {
    const { received, open } = lane();
    const stream = open();
    const closed = new Promise((resolve) => stream.once("close", resolve));
    stream.push(concatBytes(framed("heard"), new Writer(4).u32(length).finish()));
    stream.push(framed("smuggled"));
    stream.push(null);
    await closed;
    expect([received, stream.readableEnded]).toEqual([["heard"], false]);
    const next = open();
    next.push(framed("again"));
    next.read();
    expect(received).toEqual(["heard", "again"]);
  });

  it("that comes while nothing is read waits until there is reading again", async () => {
    const { made, received, open } = lane();
    made.setReading(false);
    const stream = open();
    stream.push(framed("later"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(received).toEqual([]);
    made.setReading(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(received).toEqual(["later"]);
  });
});

it("a lane that is given up by what it brought tells of nothing behind that", async () => {
  const { made, received, open } = lane();
  const stream = open();
  const closed = new Promise((resolve) => stream.once("close", resolve));
  const told = received.push.bind(received);
  received.push = (text) => {
    made.detach();
    return told(text);
  };
  stream.push(concatBytes(framed("the last"), framed("too late")));
  stream.push(framed("later still"));
  await closed;
  expect([...received]).toEqual(["the last"]);
});

describe("a lane that is given up while its stream is being opened", () => {
  it("says what it was given, and does not leave the stream behind on the link", async () => {
    const said: Uint8Array[] = [];
    const stream = new Duplex({
      read: () => {},
      write: (chunk, _encoding, done) => {
        said.push(chunk);
        done();
      },
    });
    let opened: (stream: ByteDuplex) => void = () => {};
    const { made } = lane(() => {
      return new Promise((resolve) => {
        opened = resolve;
      });
    });
    made.send(utf8("last words"));
    made.detach();
    opened(stream);
    await new Promise((resolve) => stream.once("finish", resolve));
    expect(concatBytes(...said)).toEqual(framed("last words"));
    stream.push(null);
    await new Promise((resolve) => stream.once("close", resolve));
  });
});
