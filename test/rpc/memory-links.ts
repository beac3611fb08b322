import { Duplex } from "node:stream";
import type { Cancel } from "../../src/base/index.ts";
import { CulvertError } from "../../src/base/index.ts";
import { type NodeId, NodeIdentity, nodeIdText } from "../../src/identity/index.ts";
import type { ByteDuplex, LinkDialler, PeerLink } from "../../src/rpc/index.ts";

/**
 * One end of a byte stream in memory; destroying it destroys the other, once that has read what
 * came before a proper end: as with links, and however much the buffers of Node hold.
 */
export class MemoryStream extends Duplex {
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
    if (other !== undefined && !hasEnded) queueMicrotask(() => other.#lose());
    done(error);
  }

  #lose(): void {
    const isWhole = this.#other?.writableFinished === true && !this.readableEnded;
    if (isWhole && !this.destroyed) this.once("end", () => this.destroy());
    else this.destroy();
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
  readonly #network: MemoryLinks;
  readonly #listeners = new Set<(link: PeerLink) => void>();

  constructor(network: MemoryLinks, id: NodeId) {
    this.#network = network;
    this.id = id;
  }

  async dial(peer: NodeId): Promise<PeerLink> {
    const to = this.#network.nodes.get(nodeIdText(peer));
    if (to === undefined) throw new CulvertError("CULVERT_UNREACHABLE");
    const [mine, theirs] = [new MemoryLink(to.id), new MemoryLink(this.id)];
    mine.other = theirs;
    theirs.other = mine;
    to.accept(theirs);
    this.accept(mine);
    return mine;
  }

  accept(link: MemoryLink): void {
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

  /** A new node that others find at once. */
  join(): MemoryNode {
    const seed = new Uint8Array(32).fill(this.nodes.size + 1);
    const node = new MemoryNode(this, new NodeIdentity(seed).id);
    this.nodes.set(nodeIdText(node.id), node);
    return node;
  }
}
