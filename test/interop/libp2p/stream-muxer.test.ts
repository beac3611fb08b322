import { describe, it } from "vitest";
import { coreMuxerFactory } from "./mux-over-core.ts";

// The suite registers itself with the globals of mocha.
const grouped = (name: string, body: (this: unknown) => void): void => {
  describe(name, () => body.call({ timeout: () => {} }));
};
Object.assign(globalThis, { describe: Object.assign(grouped, { skip: describe.skip }), it });
const { default: streamMuxerTests } = await import(
  "@libp2p/interface-compliance-tests/stream-muxer"
);

streamMuxerTests({ setup: async () => coreMuxerFactory, teardown: async () => {} });
