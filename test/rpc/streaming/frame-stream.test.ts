import { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/base/index.ts";
import { CALL_FRAME, encodeCallFrame } from "../../../src/rpc/streaming/call-frame.ts";
import { FrameStream } from "../../../src/rpc/streaming/frame-stream.ts";
import { STREAM_CALL_LIMITS } from "../../../src/rpc/streaming/stream-limits.ts";
import { allBytes } from "../../../src/testing/compliance/rpc-rig.ts";

describe("a stream that is given back behind its frames", () => {
  it.each([CALL_FRAME.open, CALL_FRAME.accepted])(
    "still has what came with them, its end included: frame %i",
    async (type) => {
      const stream = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
      const frames = new FrameStream(stream, STREAM_CALL_LIMITS);
      const first = frames.next();
      // As a carrier gives it that finds all of it in one packet.
      setImmediate(() => {
        stream.push(encodeCallFrame(type, utf8("asked")));
        stream.push(utf8("short"));
        stream.push(null);
      });
      expect((await first)?.type).toBe(type);
      const bytes = await allBytes(frames.release());
      expect(new TextDecoder().decode(bytes)).toBe("short");
    },
  );
});
