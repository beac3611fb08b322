/** The stream-muxer suite of libp2p over whole links: handshake, records, paths, real sockets. */
import { afterAll, describe } from "vitest";
import { LinkedMuxers } from "../test/interop/libp2p/mux-over-links.ts";
import { streamMuxerSuite } from "../test/interop/libp2p/suite.ts";

describe.each(["udp", "tcp"] as const)("streams of links by %s", (carrier) => {
  const muxers = new LinkedMuxers(carrier);
  afterAll(() => muxers.close());
  streamMuxerSuite(() => muxers.setup());
});
