import { Counts, type Instant, requireBytes, toHex } from "../../base/index.ts";
import { addressPrefix, type NodeId, nodeIdText } from "../../identity/index.ts";
import { lastOfMost } from "../../retx/index.ts";
import type { LinkLimits } from "../limits.ts";
import type { Way } from "../path/path-desk.ts";
import type { CoreLink } from "./core-link.ts";

/** Links whose peers are asked for a sign of life because one other peer is silent. */
const DOUBTED_AT_ONCE = 8;

/** The links of a host: which there are, whether there may be more, which ones are idle. */
export class LinkTable {
  readonly #limits: LinkLimits;
  readonly #links = new Set<CoreLink>();
  readonly #byPeer = new Map<string, Set<CoreLink>>();
  readonly #bySource = new Counts();
  /** Where the next links are looked for that are in doubt: others each time. */
  #doubtsFrom = 0;

  constructor(limits: LinkLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#links.size;
  }

  /** Sources that links are counted for. */
  get sources(): number {
    return this.#bySource.size;
  }

  all(): readonly CoreLink[] {
    return [...this.#links];
  }

  /** A link to a node that takes new streams: a direct one, if there is one. */
  find(id: NodeId): CoreLink | undefined {
    requireBytes("id", id);
    let found: CoreLink | undefined;
    for (const link of this.#byPeer.get(nodeIdText(id)) ?? []) {
      if (!link.takesStreams) continue;
      if (!link.isRelayed) return link;
      found ??= link;
    }
    return found;
  }

  /** The link that both ends know by this name. */
  named(id: NodeId, linkId: Uint8Array): CoreLink | undefined {
    const name = toHex(linkId);
    return [...(this.#byPeer.get(nodeIdText(id)) ?? [])].find(
      (link) => toHex(link.linkId) === name,
    );
  }

  /** Whether one more link to this peer, that came in from `source`, would break a limit. */
  isFullFor(id: NodeId, source: string | undefined): boolean {
    const { linksPerPeerMax, linksPerAddressMax } = this.#limits;
    if ((this.#byPeer.get(nodeIdText(id))?.size ?? 0) >= linksPerPeerMax) return true;
    return source !== undefined && this.#bySource.of(source) >= linksPerAddressMax;
  }

  /**
   * When a peer that asks for one more link has all that it may have: the one that gives way, of a
   * life of the peer that is over, most likely. One that has lost its path, or else the oldest.
   */
  surplusOf(id: NodeId): CoreLink | undefined {
    const ofPeer = [...(this.#byPeer.get(nodeIdText(id)) ?? [])];
    if (ofPeer.length < this.#limits.linksPerPeerMax) return undefined;
    return ofPeer.find(({ path }) => path === undefined) ?? ofPeer[0];
  }

  /** Whether one more link would be too many. */
  get isFull(): boolean {
    return this.#links.size >= this.#limits.linksMax;
  }

  add(link: CoreLink): void {
    this.#links.add(link);
    const key = nodeIdText(link.peer);
    const ofPeer = this.#byPeer.get(key) ?? new Set();
    ofPeer.add(link);
    this.#byPeer.set(key, ofPeer);
    if (link.source !== undefined) this.#bySource.add(link.source);
  }

  remove(link: CoreLink): void {
    if (!this.#links.delete(link)) return;
    const key = nodeIdText(link.peer);
    const ofPeer = this.#byPeer.get(key);
    ofPeer?.delete(link);
    if (ofPeer?.size === 0) this.#byPeer.delete(key);
    if (link.source !== undefined) this.#bySource.remove(link.source);
  }

  /**
   * A peer has been silent since then: this machine may have another address, and others be out of
   * reach too. Some of those that were not heard meanwhile are asked. Where they are silent as
   * well, each has more of them asked, so that the word of one peer alone costs little.
   */
  doubt(since: Instant): void {
    const links = this.all();
    let asked = 0;
    for (let count = links.length; count > 0 && asked < DOUBTED_AT_ONCE; count--) {
      const link = links[this.#doubtsFrom++ % links.length];
      if (link?.doubt(since) === true) asked += 1;
    }
  }

  /**
   * Where all links are in use: the one that gives way to one more of `place`, or a few networks
   * could keep everybody else out. It is the last one of the place that has most, unless that would
   * then have no more than the new one's.
   */
  displacedBy(place: string): CoreLink | undefined {
    return lastOfMost(this.#links, place, (link) => link.place);
  }

  /** The link that has been idle for longest; `undefined` when all are in use. */
  longestIdle(): CoreLink | undefined {
    return this.#idle()[0];
  }

  /** Idle links that have lived out their time, or are more than are kept. */
  expired(now: Instant): readonly CoreLink[] {
    const { idleMs, idleLinksKept, surplusIdleMs } = this.#limits;
    const idle = this.#idle();
    const surplus = Math.max(idle.length - idleLinksKept, 0);
    return idle.filter((link, at) => {
      return now - (link.idleSince ?? now) >= (at < surplus ? surplusIdleMs : idleMs);
    });
  }

  /** Idle links, longest first. */
  #idle(): CoreLink[] {
    return [...this.#links]
      .filter((link) => link.idleSince !== undefined)
      .sort((a, b) => (a.idleSince ?? 0) - (b.idleSince ?? 0));
  }
}

/** Where a path leads, or at least the relay in between: ids cost nothing. */
export function placeOf({ remote, via, viaRemote }: Way): string {
  const at = remote ?? viaRemote;
  if (at !== undefined) return addressPrefix(at.host);
  return via === undefined ? "" : nodeIdText(via);
}
