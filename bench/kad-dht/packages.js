/** Loaded by its path: these packages are installed here and not beside the benchmark. */
export { noise } from "@chainsafe/libp2p-noise";
export { yamux } from "@chainsafe/libp2p-yamux";
export { identify } from "@libp2p/identify";
export { kadDHT, passthroughMapper } from "@libp2p/kad-dht";
export { ping } from "@libp2p/ping";
export { tcp } from "@libp2p/tcp";
export { createLibp2p } from "libp2p";
