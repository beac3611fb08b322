import { Duplex } from "node:stream";
import { expect, it } from "vitest";
import { NodeIdentity } from "../../../src/identity/index.ts";
import type { Link, LinkHost, LinkStream } from "../../../src/link/index.ts";
import { encodeFrame, RelayFrameBuffer } from "../../../src/link/relay/frames.ts";
import { RelayService } from "../../../src/link/relay/relay-service.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const [self, holder, caller] = [1, 2, 3].map((n) => new NodeIdentity(new Uint8Array(32).fill(n)));

/** A stream of a peer, and what is said to it. */
function streamOf() {
  const heard = new RelayFrameBuffer();
  const stream = new Duplex({
    read: () => {},
    write: (chunk: Uint8Array, _encoding, done) => {
      heard.push(Uint8Array.from(chunk));
      done();
    },
  });
  const destroySoon = (): void => void stream.end();
  return { stream: Object.assign(stream, { destroySoon }) as unknown as LinkStream, heard };
}

it("a holder whose stream is gone when it is there does not let a caller wait", async () => {
  if (self === undefined || holder === undefined || caller === undefined) throw new Error("ids");
  const clock = new VirtualClock();
  let serve: (stream: LinkStream, link: Link) => void = () => {};
  const linkTo = ({ id: peer }: NodeIdentity): Link =>
    ({
      ...{ peer, isOpen: true, isRelayed: false, path: { isRelayed: false } },
      openStream: async () => {
        const { stream } = streamOf();
        await new Promise((resolve) => stream.destroy().once("close", resolve));
        return stream;
      },
    }) as unknown as Link;
  const links = [linkTo(holder), linkTo(caller)] as const;
  const host = {
    links: () => links,
    handle: (_protocol: string, onStream: typeof serve) => {
      serve = onStream;
      return () => {};
    },
  } as unknown as LinkHost;
  const relay = new RelayService({ host, identity: self, clock });
  const [held, called] = [streamOf(), streamOf()];
  serve(held.stream, links[0]);
  held.stream.push(encodeFrame({ kind: "reserve" }));
  await clock.runUntil(1);
  expect(held.heard.next()).toMatchObject({ kind: "reserved" });
  serve(called.stream, links[1]);
  called.stream.push(encodeFrame({ kind: "connect", target: holder.id }));
  await clock.runUntil(100);
  expect(called.heard.next()).toEqual({ kind: "refused", reason: "not-linked" });
  relay.close();
});
