import { assert, type Random } from "../../base/index.ts";
import type { VoidphoneTunnel } from "../tunnels.ts";
import { givingWay } from "./giving-way.ts";
import { encodeOnionNotice, TUNNEL_DATA_BYTES_MAX } from "./onion-messages.ts";

/** Tunnels of one client, and of all. */
const TUNNELS_PER_CLIENT_MAX = 64;
const TUNNELS_MAX = 256;

/** Of these, what others may have built to this node: they leave room for the clients' own. */
export const INCOMING_PER_CLIENT_MAX = 32;
export const INCOMING_MAX = 128;

/** A client of the onion API, as the desk sees it. */
export interface TunnelHolder {
  /** Says something; with `mayBeLost` only if the client keeps up. */
  push(bytes: Uint8Array, options: { readonly mayBeLost: boolean }): void;
}

interface OpenTunnel {
  readonly id: number;
  readonly tunnel: VoidphoneTunnel;
  /** Whom it counts for, if somebody else has built it. */
  readonly source: string | undefined;
  /** Clients that have not taken leave of it. It lives as long as there is one. */
  readonly holders: Set<TunnelHolder>;
  /** A client has said something through it. */
  isAnswered: boolean;
}

/** One that somebody else has built. */
type Incoming = OpenTunnel & { readonly source: string };

/** Room for one more that comes in. */
interface Room {
  /** Clients that are told of it. */
  readonly listeners: readonly TunnelHolder[];
  /** What some of these take leave of. */
  readonly released: ReadonlyMap<TunnelHolder, Incoming>;
  /** What all take leave of. */
  readonly ended: Incoming | undefined;
}

/**
 * Who holds which tunnel. One that a client has built is that client's; one that comes in is
 * everybody's who is connected then. Data goes to all holders; when the last one takes leave, or
 * goes away, the tunnel is taken down. Those that come in share their places by where they come
 * from, and give way to each other.
 */
export class TunnelDesk {
  readonly #random: Random;
  readonly #clients = new Set<TunnelHolder>();
  /** Oldest first. */
  readonly #tunnels = new Map<number, OpenTunnel>();

  constructor(random: Random) {
    this.#random = random;
  }

  join(client: TunnelHolder): void {
    this.#clients.add(client);
  }

  /** The client is gone: it takes leave of all that it held. */
  leave(client: TunnelHolder): void {
    this.#clients.delete(client);
    for (const tunnelId of [...this.#tunnels.keys()]) this.release(tunnelId, client);
  }

  /** Whether the client has no room for one more tunnel. */
  isFull(client: TunnelHolder): boolean {
    return this.#tunnels.size >= TUNNELS_MAX || this.#countOf(client) >= TUNNELS_PER_CLIENT_MAX;
  }

  holdsAny(client: TunnelHolder): boolean {
    return this.#countOf(client) > 0;
  }

  /**
   * A client has built a tunnel, and is told `ready` before anything that comes through it. If it
   * is gone by now, or there is no room, the tunnel is taken down.
   *
   * @returns false when it was
   */
  built(tunnel: VoidphoneTunnel, client: TunnelHolder, hostKey: Uint8Array): boolean {
    if (!this.#clients.has(client) || this.isFull(client)) {
      tunnel.destroy();
      return false;
    }
    const tunnelId = this.#open({ tunnel, source: undefined, holders: new Set([client]) });
    const ready = encodeOnionNotice({ kind: "ready", tunnelId, hostKey });
    client.push(ready, { mayBeLost: false });
    this.#start(tunnelId);
    return true;
  }

  /**
   * Somebody has built a tunnel to this node: all clients are told that have room for it, or make
   * some. If none does, it is taken down.
   *
   * @param source whom it counts for
   */
  incoming(tunnel: VoidphoneTunnel, source: string): void {
    const room = this.#roomFor(source);
    if (room === undefined) {
      tunnel.destroy();
      return;
    }
    for (const [client, other] of room.released) this.release(other.id, client);
    if (room.ended !== undefined) this.#takeDown(room.ended);
    const { listeners } = room;
    const tunnelId = this.#open({ tunnel, source, holders: new Set(listeners) });
    const notice = encodeOnionNotice({ kind: "incoming", tunnelId });
    for (const client of listeners) client.push(notice, { mayBeLost: false });
    this.#start(tunnelId);
  }

  /** False when the client holds no such tunnel, or it cannot carry this. */
  send(tunnelId: number, data: Uint8Array, client: TunnelHolder): boolean {
    const open = this.#heldBy(tunnelId, client);
    if (open === undefined || data.length > open.tunnel.dataBytesMax) return false;
    open.isAnswered = true;
    return open.tunnel.send(data);
  }

  /** The client takes leave of a tunnel; false when it holds no such tunnel. */
  release(tunnelId: number, client: TunnelHolder): boolean {
    const open = this.#heldBy(tunnelId, client);
    if (open === undefined) return false;
    open.holders.delete(client);
    if (open.holders.size === 0) this.#takeDown(open);
    return true;
  }

  /** Takes everything down. */
  close(): void {
    for (const { tunnel } of this.#tunnels.values()) tunnel.destroy();
    this.#tunnels.clear();
    this.#clients.clear();
  }

  #open(tunnel: Pick<OpenTunnel, "tunnel" | "source" | "holders">): number {
    const id = this.#freshId();
    this.#tunnels.set(id, { ...tunnel, id, isAnswered: false });
    return id;
  }

  #takeDown({ id, tunnel }: OpenTunnel): void {
    this.#tunnels.delete(id);
    tunnel.destroy();
  }

  /**
   * Where one more of `source` that comes in has room, and what has to go for it; `undefined` when
   * there is none. It only looks: where there is no room in the end, nothing may have gone for it.
   */
  #roomFor(source: string): Room | undefined {
    const incoming = [...this.#tunnels.values()].filter(isIncoming);
    const listeners: TunnelHolder[] = [];
    const released = new Map<TunnelHolder, Incoming>();
    for (const client of this.#clients) {
      const here = incoming.filter(({ holders }) => holders.has(client));
      const isFull = this.#countOf(client) >= TUNNELS_PER_CLIENT_MAX;
      const hasRoom = here.length < INCOMING_PER_CLIENT_MAX && !isFull;
      const other = hasRoom ? undefined : givingWay(here, source);
      if (!hasRoom && other === undefined) continue;
      listeners.push(client);
      if (other !== undefined) released.set(client, other);
    }
    if (listeners.length === 0) return undefined;
    const stays = (open: Incoming): boolean =>
      [...open.holders].some((holder) => released.get(holder) !== open);
    const staying = incoming.filter(stays);
    const all = this.#tunnels.size - incoming.length + staying.length;
    const hasRoom = staying.length < INCOMING_MAX && all < TUNNELS_MAX;
    const ended = hasRoom ? undefined : givingWay(staying, source);
    return hasRoom || ended !== undefined ? { listeners, released, ended } : undefined;
  }

  /** Last of all, so that nothing that comes through it is told before the tunnel is. */
  #start(tunnelId: number): void {
    const open = this.#tunnels.get(tunnelId);
    // Telling of it can have cost the last holder its connection.
    open?.tunnel.start({
      data: (data) => this.#arrived(tunnelId, data),
      ended: () => this.#tunnels.delete(tunnelId),
    });
  }

  #arrived(tunnelId: number, data: Uint8Array): void {
    const open = this.#tunnels.get(tunnelId);
    if (open === undefined || data.length > TUNNEL_DATA_BYTES_MAX) return;
    const notice = encodeOnionNotice({ kind: "data", tunnelId, data });
    for (const client of [...open.holders]) client.push(notice, { mayBeLost: true });
  }

  #heldBy(tunnelId: number, client: TunnelHolder): OpenTunnel | undefined {
    const open = this.#tunnels.get(tunnelId);
    return open?.holders.has(client) === true ? open : undefined;
  }

  #countOf(client: TunnelHolder): number {
    let count = 0;
    for (const { holders } of this.#tunnels.values()) if (holders.has(client)) count += 1;
    return count;
  }

  /** Ids are drawn, so that a client cannot guess those of another; 0 stands for no tunnel. */
  #freshId(): number {
    assert(this.#tunnels.size < TUNNELS_MAX, "there is room for one more tunnel");
    for (;;) {
      const bytes = this.#random.bytes(4);
      const id = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      if (id !== 0 && !this.#tunnels.has(id)) return id;
    }
  }
}

function isIncoming(open: OpenTunnel): open is Incoming {
  return open.source !== undefined;
}
