import { expect, it } from "vitest";
import { Writer } from "../../../src/codec/index.ts";
import { MESSAGE_PROTOCOL, PeerLinks } from "../../../src/rpc/index.ts";
import { ENVELOPE_BYTES_MAX } from "../../../src/rpc/message/envelope.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryLinks } from "../memory-links.ts";

it.each([
  [0, true],
  [1, false],
])(
  "a stream whose message is %i bytes longer than any may be is kept: %s",
  async (more, isKept) => {
    const clock = new VirtualClock();
    const network = new MemoryLinks();
    const [here, there] = [network.join(), network.join()];
    const bodyBytesMax = 1_000;
    const carrier = new PeerLinks(here, { clock, bodyBytesMax });
    carrier.start({ received: () => {}, disturbed: () => {} });
    const link = await there.dial(here.id);
    const stream = await link.openStream(MESSAGE_PROTOCOL);
    stream.on("error", () => {});
    stream.write(new Writer().u32(bodyBytesMax + ENVELOPE_BYTES_MAX + more).finish());
    await clock.runUntil(clock.now() + 100);
    expect(stream.destroyed).toBe(!isKept);
    await carrier.close();
  },
);
