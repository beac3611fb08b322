/** The DHT of libp2p as a party of the benchmark: its packages are in `bench/kad-dht`. */
import { existsSync } from "node:fs";
import { concatBytes, utf8 } from "../src/base/index.ts";
import { calm, HOST, isSigned, type Party, signedValue, signerOf, valueIn } from "./dht-parties.ts";

/** What is used of libp2p, which has no types where it is not installed. */
interface Libp2p {
  createLibp2p(options: object): Promise<Libp2pNode>;
  kadDHT(options: object): unknown;
  readonly passthroughMapper: unknown;
  readonly tcp: () => unknown;
  readonly noise: () => unknown;
  readonly yamux: () => unknown;
  readonly identify: () => unknown;
  readonly ping: () => unknown;
}

interface Libp2pNode {
  readonly services: { readonly dht: KadDht };
  getMultiaddrs(): readonly unknown[];
  dial(addresses: readonly unknown[]): Promise<unknown>;
  stop(): Promise<void>;
}

interface KadDht {
  put(key: Uint8Array, value: Uint8Array, options: object): AsyncIterable<KadEvent>;
  get(key: Uint8Array, options: object): AsyncIterable<KadEvent>;
  refreshRoutingTable(): Promise<void>;
}

interface KadEvent {
  readonly name: string;
  readonly value?: Uint8Array;
}

const NODE_MAJOR_MIN = 22;
const PREFIX = utf8("/bench/");
const WAIT_MS = 10_000;
/** A second round finds those who had not been heard of in the first. */
const REFRESHES = 2;

const beside = import.meta.url.includes("/bench/dist/") ? "../../kad-dht/" : "./kad-dht/";
const FOLDER = new URL(beside, import.meta.url);

/** Why it cannot be measured here; `undefined` where it can. */
export function kadProblem(): string | undefined {
  const [major] = process.versions.node.split(".");
  if (Number(major) < NODE_MAJOR_MIN) return `it asks for Node ${NODE_MAJOR_MIN}`;
  if (existsSync(new URL("node_modules", FOLDER))) return undefined;
  return "its packages are not there: npm ci --prefix bench/kad-dht";
}

/** libp2p over TCP with Noise and yamux; values are verified by their keys, as elsewhere. */
export async function kadParty(count: number): Promise<Party> {
  const libp2p = (await import(new URL("packages.js", FOLDER).href)) as Libp2p;
  const nodes: Libp2pNode[] = [];
  for (let i = 0; i < count + 2; i++) {
    const node = await startNode(libp2p, { isClient: i >= count });
    if (nodes[0] !== undefined) await node.dial(nodes[0].getMultiaddrs());
    nodes.push(node);
  }
  await calm();
  for (let round = 0; round < REFRESHES; round++) {
    for (const node of nodes) await node.services.dht.refreshRoutingTable();
    await calm();
  }
  const [putter, getter] = nodes.slice(count).map(({ services }) => services.dht);
  if (putter === undefined || getter === undefined) throw new Error("two have joined");
  const keyOf = (number: number): Uint8Array => concatBytes(PREFIX, signerOf(number).publicKey);
  const within = (): object => ({ signal: AbortSignal.timeout(WAIT_MS) });
  return {
    prepare: (number) => void signerOf(number),
    put: async (number, value) => {
      const events = putter.put(keyOf(number), signedValue(number, value), within());
      for await (const _ of events); // it is put when nothing more happens
    },
    get: async (number) => {
      for await (const { name, value } of getter.get(keyOf(number), within())) {
        if (name === "VALUE" && value !== undefined) return valueIn(value);
      }
      return undefined;
    },
    silence: async (silent) =>
      void (await Promise.all(nodes.slice(count - silent, count).map((node) => node.stop()))),
    close: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  };
}

function startNode(
  libp2p: Libp2p,
  { isClient }: { readonly isClient: boolean },
): Promise<Libp2pNode> {
  const { createLibp2p, kadDHT, passthroughMapper, tcp, noise, yamux, identify, ping } = libp2p;
  const dht = kadDHT({
    protocol: "/bench/kad/1.0.0",
    clientMode: isClient,
    // Otherwise addresses of this machine are left out.
    peerInfoMapper: passthroughMapper,
    validators: { bench: validate },
    selectors: { bench: () => 0 },
  });
  return createLibp2p({
    addresses: { listen: isClient ? [] : [`/ip4/${HOST}/tcp/0`] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping(), dht },
    // All nodes have one address here.
    connectionManager: { maxConnections: 512, inboundConnectionThreshold: 512 },
  });
}

/** What libp2p asks of a validator is that it rejects. */
async function validate(key: Uint8Array, signed: Uint8Array): Promise<void> {
  if (!isSigned(key.subarray(PREFIX.length), signed)) throw new Error("not signed by its key");
}
