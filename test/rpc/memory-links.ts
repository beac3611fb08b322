import { Duplex } from "node:stream";
import type { Cancel, Clock } from "../../src/base/index.ts";
import { CulvertError } from "../../src/base/index.ts";
import { NodeDescriptor, type NodeId, NodeIdentity, nodeIdText } from "../../src/identity/index.ts";
import type { ByteDuplex, LinkDialler, PeerLink, Way } from "../../src/rpc/index.ts";

const GEOMETRY = { cellBytes: 2_048, onionBytes: 4_096, onionHopsMax: 5 };

/** One end of a byte stream in memory; destroying it destroys the other. */
class MemoryStream extends Duplex {
  #other: MemoryStream | undefined;
  #resume: (() => void) | undefined;

  static pair(): [MemoryStream, MemoryStream] {
    const [a, b] = [new MemoryStream(), new MemoryStream()];
    a.#other = b;
    b.#other = a;
    return [a, b];
  }

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    const other = this.#other;
    if (other === undefined || other.destroyed) done();
    else if (other.push(chunk)) queueMicrotask(done);
    else other.#resume = done;
  }

  override _final(done: () => void): void {
    this.#other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.#other;
    const hasEnded = this.writableFinished && this.readableEnded;
    if (other !== undefined && !other.destroyed && !hasEnded) queueMicrotask(() => other.destroy());
    done(error);
  }
}

/** One end of a link in memory. */
class MemoryLink implements PeerLink {
  readonly peer: NodeId;
  isOpen = true;
  other: MemoryLink | undefined;
  readonly #handlers = new Map<string, (stream: ByteDuplex) => void>();
  readonly #streams = new Set<MemoryStream>();
  readonly #closers = new Set<() => void>();

  constructor(peer: NodeId) {
    this.peer = peer;
  }

  async openStream(protocol: string): Promise<ByteDuplex> {
    const { other } = this;
    if (!this.isOpen || other === undefined) throw new CulvertError("CULVERT_CLOSED");
    const [mine, theirs] = MemoryStream.pair();
    this.#streams.add(mine);
    queueMicrotask(() => other.take(protocol, theirs));
    return mine;
  }

  take(protocol: string, stream: MemoryStream): void {
    this.#streams.add(stream);
    const handler = this.#handlers.get(protocol);
    if (handler === undefined) stream.destroy();
    else handler(stream);
  }

  handle(protocol: string, onStream: (stream: ByteDuplex) => void): Cancel {
    this.#handlers.set(protocol, onStream);
    return () => void this.#handlers.delete(protocol);
  }

  onClose(listener: () => void): Cancel {
    this.#closers.add(listener);
    return () => void this.#closers.delete(listener);
  }

  async close(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const stream of this.#streams) stream.destroy();
    for (const listener of this.#closers) listener();
    await this.other?.close();
  }
}

/** A node that makes links in memory. */
export class MemoryNode implements LinkDialler {
  readonly id: NodeId;
  readonly descriptor: NodeDescriptor;
  readonly links: MemoryLink[] = [];
  dials: Way[] = [];
  /** False refuses to be dialled in this way. */
  isReachable: (way: Way) => boolean = () => true;
  readonly #network: MemoryLinks;
  readonly #listeners = new Set<(link: PeerLink) => void>();

  constructor(network: MemoryLinks, identity: NodeIdentity, descriptor: NodeDescriptor) {
    this.#network = network;
    this.id = identity.id;
    this.descriptor = descriptor;
  }

  async lookup(peer: NodeId): Promise<NodeDescriptor | undefined> {
    return this.#network.known.get(nodeIdText(peer));
  }

  async dial(way: Way): Promise<PeerLink> {
    this.dials.push(way);
    const to = this.#network.nodes.get(nodeIdText(way.descriptor.id));
    if (to === undefined || !to.isReachable(way)) throw new CulvertError("CULVERT_UNREACHABLE");
    const [mine, theirs] = [new MemoryLink(to.id), new MemoryLink(this.id)];
    mine.other = theirs;
    theirs.other = mine;
    to.accept(theirs);
    this.accept(mine);
    return mine;
  }

  accept(link: MemoryLink): void {
    this.links.push(link);
    for (const listener of this.#listeners) listener(link);
  }

  onLink(listener: (link: PeerLink) => void): Cancel {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Nodes that reach each other by links in memory. */
export class MemoryLinks {
  readonly nodes = new Map<string, MemoryNode>();
  /** What a lookup finds. */
  readonly known = new Map<string, NodeDescriptor>();
  readonly #clock: Clock;
  #names = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new node that others find at once, directly and through these relays. */
  join(relays: readonly NodeId[] = []): MemoryNode {
    this.#names += 1;
    const identity = new NodeIdentity(new Uint8Array(32).fill(this.#names));
    const descriptor = this.describe(identity, 1, relays);
    const node = new MemoryNode(this, identity, descriptor);
    this.nodes.set(nodeIdText(node.id), node);
    this.known.set(nodeIdText(node.id), descriptor);
    return node;
  }

  describe(
    identity: NodeIdentity,
    sequence: number,
    relays: readonly NodeId[] = [],
  ): NodeDescriptor {
    return NodeDescriptor.sign(identity, {
      ...{ sequence, expiresAtUnixS: Math.floor(this.#clock.unixMs() / 1_000) + 3_600 },
      ...{ roles: [], geometry: GEOMETRY, relays, onionKeys: [] },
      addresses: [{ carrier: "tcp", host: "127.0.0.1", port: 1 }],
    });
  }
}
