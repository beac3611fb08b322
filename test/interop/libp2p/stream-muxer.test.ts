/** Over whole links, on sockets: e2e/stream-muxer.test.ts. */
import { coreMuxerFactory } from "./mux-over-core.ts";
import { streamMuxerSuite } from "./suite.ts";

streamMuxerSuite(async () => coreMuxerFactory);
