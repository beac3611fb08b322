/// <reference path="./dht-packages.d.ts" />
/** Three DHTs in one process on the loopback: ours, and the two that people use from JavaScript. */
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Client } from "bittorrent-dht";
import HyperDHT from "hyperdht";
import { concatBytes, SeededRandom } from "../src/base/index.ts";
import { crypto } from "../src/crypto/index.ts";
import { NodeDescriptor, NodeIdentity } from "../src/identity/index.ts";
import { systemClock } from "../src/io/clock.ts";
import { nativeSigner } from "../src/io/native-signer.ts";
import { systemRandom } from "../src/io/random.ts";
import { udxNetwork } from "../src/io/udx-network.ts";
import { openLinkHost } from "../src/link/index.ts";
import { Overlay } from "../src/node/overlay.ts";
import { MuteNetwork } from "./mute-network.ts";

export const HOST = "127.0.0.1";
const SIGNATURE_BYTES = 64;
/** Once less than this share of so long is spent computing, nodes have met all they know of. */
const CALM_SHARE = 0.3;
const CALM_MS = 200;
const JOIN_TRIES = 10;
/** All nodes have one address here, which elsewhere may make 64 links and few handshakes. */
const ONE_ADDRESS = {
  ...{ linksPerAddressMax: 512, handshakesPerAddressMax: 256 },
  ...{ handshakesPerSecond: 1_000, handshakesBurst: 1_000 },
};

/** A network of some nodes, and two who are no nodes of it: one puts, the other gets. */
export interface Party {
  /** Makes the key of a value, which nobody is to be charged for. */
  prepare(number: number): void;
  /** Keeps the value that `number` names under a key of its own, signed by that key. */
  put(number: number, value: Uint8Array): Promise<void>;
  /** The verified value; `undefined` when there is none, or nobody answers. */
  get(number: number): Promise<Uint8Array | undefined>;
  /** Requests that the one who gets has sent so far, if the party tells. */
  requestsOfGetter?(): number;
  /** So many nodes say nothing more to anybody, and do not take their leave. */
  silence(count: number): Promise<void>;
  close(): Promise<void>;
}

/** The seed of a key, or of a node: nobody has two of them. */
const seedOf = (kind: number, number: number): Uint8Array =>
  new SeededRandom(kind * 1_000_000 + number).bytes(32);

/** Makes each thing once: a get needs a public key, and must not pay for making it. */
function remembered<T>(make: (number: number) => T): (number: number) => T {
  const made = new Map<number, T>();
  return (number) => {
    const it = made.get(number) ?? make(number);
    made.set(number, it);
    return it;
  };
}

/** The key of the value that `number` names. */
export const signerOf = remembered((number) => {
  const signer = nativeSigner(seedOf(2, number));
  // OpenSSL makes what it needs of a key at the first use; the key pair of hyperdht has it all.
  signer.sign(new Uint8Array(1));
  return signer;
});

/** One of ours: links, requests and the DHT, as a node of the network has them. */
class CulvertNode {
  readonly overlay: Overlay;
  readonly network: MuteNetwork;

  private constructor(overlay: Overlay, network: MuteNetwork) {
    this.overlay = overlay;
    this.network = network;
  }

  static async start(number: number, options: { isClient: boolean }): Promise<CulvertNode> {
    const identity = new NodeIdentity(seedOf(1, number));
    const network = new MuteNetwork(udxNetwork);
    const components = { udp: network };
    const udp = { host: HOST, port: 0 };
    const limits = ONE_ADDRESS;
    const host = await openLinkHost({ identity, network: "bench", udp, components, limits });
    const addresses = options.isClient ? [] : host.addresses;
    const overlay = new Overlay(
      { host, identity, clock: systemClock, random: systemRandom },
      { addresses: () => addresses, isLocal: true, recordRule },
    );
    if (!options.isClient) {
      const claims = {
        ...{ sequence: 1, expiresAtUnixS: Math.floor(systemClock.unixMs() / 1_000) + 3_600 },
        ...{ roles: ["storage"] as const, relays: [], onionKeys: [], addresses },
        geometry: { cellBytes: 1, onionBytes: 1, onionHopsMax: 1 },
      };
      overlay.publish(NodeDescriptor.sign(identity, claims));
    }
    return new CulvertNode(overlay, network);
  }

  async join(by: CulvertNode | undefined): Promise<void> {
    const [address] = by?.overlay.host.addresses ?? [];
    const known = by && address ? [{ id: by.overlay.host.id, address }] : [];
    for (let tries = 1; ; tries++) {
      try {
        await this.overlay.join(known);
        return;
      } catch (error) {
        // A hundred nodes in one process: on a busy machine handshakes take longer than they may.
        if (tries === JOIN_TRIES) throw error;
        await calm();
      }
    }
  }

  async close(): Promise<void> {
    this.network.isMute = false;
    await this.overlay.close();
    await this.overlay.host.close();
  }
}

/** A value behind its signature, as it is kept where a DHT knows of no signatures. */
export function signedValue(number: number, value: Uint8Array): Uint8Array {
  return concatBytes(signerOf(number).sign(value), value);
}

/** What stands behind the signature. */
export function valueIn(signed: Uint8Array): Uint8Array {
  return signed.subarray(SIGNATURE_BYTES);
}

/** Whether the signature is that of the key. */
export function isSigned(key: Uint8Array, signed: Uint8Array): boolean {
  return crypto().ed25519Verify(key, valueIn(signed), signed.subarray(0, SIGNATURE_BYTES));
}

/** Every node makes links with all others: all in one process, that is seconds of its time. */
export async function calm(): Promise<void> {
  let isBusy = true;
  while (isBusy) {
    const before = process.cpuUsage();
    await setTimeout(CALM_MS);
    const { user, system } = process.cpuUsage(before);
    isBusy = user + system > CALM_SHARE * 1_000 * CALM_MS;
  }
}

/** A record has one version. */
function recordRule(key: Uint8Array, bytes: Uint8Array): number | undefined {
  return isSigned(key, bytes) ? 1 : undefined;
}

/** Ours: nodes ask each other over links that are authenticated and sealed. */
export async function culvertParty(count: number, replicas: number): Promise<Party> {
  const nodes: CulvertNode[] = [];
  for (let i = 0; i < count + 2; i++) {
    const node = await CulvertNode.start(i, { isClient: i >= count });
    await node.join(nodes[0]);
    nodes.push(node);
    await calm();
  }
  const [putter, getter] = nodes.slice(count);
  if (putter === undefined || getter === undefined) throw new Error("two have joined");
  return {
    prepare: (number) => void signerOf(number),
    put: async (number, value) => {
      const bytes = signedValue(number, value);
      const record = { kind: "record", ttlSeconds: 3_600, bytes } as const;
      await putter.overlay.dht.put(signerOf(number).publicKey, record, { replicas });
    },
    get: async (number) => {
      const { publicKey } = signerOf(number);
      const found = await getter.overlay.dht.get(publicKey, { valueKind: "record" });
      return found && valueIn(found.bytes);
    },
    requestsOfGetter: () => getter.overlay.dht.statistics.exchangesSent,
    silence: async (silent) => {
      for (const { network } of nodes.slice(count - silent, count)) network.isMute = true;
    },
    close: async () => void (await Promise.all(nodes.map((node) => node.close()))),
  };
}

/** hyperdht: signed values; a get ends with the first that is verified. */
export async function hyperParty(count: number): Promise<Party> {
  const nodes: HyperDHT[] = [];
  const bootstrap: { host: string; port: number }[] = [];
  for (let i = 0; i < count + 2; i++) {
    const ephemeral = i >= count;
    const node = new HyperDHT({ ephemeral, firewalled: false, bootstrap, host: HOST });
    await node.fullyBootstrapped();
    if (i === 0) bootstrap.push({ host: HOST, port: node.address().port });
    nodes.push(node);
  }
  const [putter, getter] = nodes.slice(count);
  const keys = remembered((number) => HyperDHT.keyPair(seedOf(2, number)));
  return {
    prepare: (number) => void keys(number),
    put: async (number, value) => void (await putter?.mutablePut(keys(number), Buffer.from(value))),
    get: async (number) =>
      (await getter?.mutableGet(keys(number).publicKey, { latest: false }))?.value,
    silence: async (silent) => {
      const leaving = nodes.slice(count - silent, count);
      await Promise.all(leaving.map((node) => node.destroy({ force: true })));
    },
    close: async () => void (await Promise.all(nodes.map((node) => node.destroy({ force: true })))),
  };
}

/** bittorrent-dht: mutable items; a get asks all that are close. */
export async function bittorrentParty(count: number): Promise<Party> {
  const verify = (signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean =>
    crypto().ed25519Verify(key, message, signature);
  const nodes: Client[] = [];
  let bootstrap: false | string[] = false;
  for (let i = 0; i < count + 2; i++) {
    const node = new Client({ bootstrap, host: HOST, verify });
    const ready = once(node, "ready");
    node.listen(0, HOST);
    await ready;
    bootstrap ||= [`${HOST}:${node.address().port}`];
    nodes.push(node);
  }
  const [putter, getter] = nodes.slice(count);
  const places = new Map<number, Buffer>();
  const end = async (node: Client) => await new Promise<void>((done) => node.destroy(done));
  return {
    prepare: (number) => void signerOf(number),
    put: (number, value) =>
      new Promise((done, fail) => {
        const { publicKey, sign } = signerOf(number);
        const item = { k: Buffer.from(publicKey), seq: 1, v: Buffer.from(value) };
        const signed = (message: Uint8Array): Buffer => Buffer.from(sign(message));
        putter?.put({ ...item, sign: signed }, (error, key) => {
          if (error !== null || key === undefined) fail(error);
          else done(void places.set(number, key));
        });
      }),
    get: (number) =>
      new Promise((done, fail) => {
        const place = places.get(number) ?? Buffer.alloc(20);
        // Without its cache: every value may lie at the one who asks, and would cost nothing.
        getter?.get(place, { cache: false }, (error, item) =>
          error === null || error === undefined ? done(item?.v) : fail(error),
        );
      }),
    silence: async (silent) =>
      void (await Promise.all(nodes.slice(count - silent, count).map(end))),
    close: async () => void (await Promise.all(nodes.map(end))),
  };
}
