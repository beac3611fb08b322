import type { StreamMuxerFactory } from "@libp2p/interface";
import { describe, it } from "vitest";

// The suite registers itself with the globals of mocha.
const grouped = (name: string, body: (this: unknown) => void): void => {
  describe(name, () => body.call({ timeout: () => {} }));
};
Object.assign(globalThis, { describe: Object.assign(grouped, { skip: describe.skip }), it });
const { default: streamMuxerTests } = await import(
  "@libp2p/interface-compliance-tests/stream-muxer"
);

/** The stream-muxer suite of libp2p, which sets up one factory for each muxer. */
export function streamMuxerSuite(setup: () => Promise<StreamMuxerFactory>): void {
  streamMuxerTests({ setup, teardown: async () => {} });
}
