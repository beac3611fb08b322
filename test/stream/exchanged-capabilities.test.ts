import { once } from "node:events";
import { generateCapability, Stream } from "culvert";
import { WriteCapability } from "culvert/mapservice";
import { describe, expect, it } from "vitest";
import { place } from "./stream-place.ts";

const REFUSED = expect.objectContaining({ code: "CULVERT_BAD_CAPABILITY" });

/** A capability whose chain is at this index. */
function capabilityAt(index: bigint): WriteCapability {
  const bytes = generateCapability().toBytes();
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(64, index, true);
  return WriteCapability.fromBytes(bytes);
}

describe("a stream between two who have given each other the right to read", () => {
  it("carries bytes and ends both ways, and goes on from its state", async () => {
    const { transport, options, elapse } = place({ loss: 0.1 });
    const [ours, theirs] = [generateCapability(), generateCapability()];
    const a = Stream.fromCapabilities(
      transport,
      { write: ours, read: theirs.readCapability() },
      options,
    );
    a.write("one, ");
    const again = await Stream.load(transport, await a.save(), options);
    again.end("two");
    const b = Stream.fromCapabilities(
      transport,
      { write: theirs, read: ours.readCapability() },
      options,
    );
    b.end("three");
    expect([again.localAddress, again.remoteAddress]).toEqual([b.remoteAddress, b.localAddress]);
    const closed = Promise.all([once(again, "close"), once(b, "close")]);
    const text = async (stream: Stream): Promise<string> => {
      const chunks = await stream.toArray();
      return Buffer.concat(chunks).toString();
    };
    expect(await elapse(Promise.all([text(b), text(again)]))).toEqual(["one, two", "three"]);
    await elapse(closed);
  });

  it.each([2n ** 63n, 2n ** 64n - 1n])("is refused at the end of a chain, %d", async (index) => {
    const { transport, options } = place();
    const [good, bad] = [generateCapability(), capabilityAt(index)];
    const make = (write: WriteCapability, read: WriteCapability) => () =>
      Stream.fromCapabilities(transport, { write, read: read.readCapability() }, options);
    expect(make(good, bad)).toThrow(REFUSED);
    expect(make(bad, good)).toThrow(REFUSED);
  });

  it("is refused where the peer has handed back what it was given", async () => {
    const { transport, options } = place();
    const write = generateCapability();
    const read = write.readCapability();
    expect(() => Stream.fromCapabilities(transport, { write, read }, options)).toThrow(REFUSED);
    expect(() => Stream.fromCapabilities(transport, { write, read: read.next() }, options)).toThrow(
      REFUSED,
    );
  });
});
