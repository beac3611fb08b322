import { type Cancel, CulvertError, Driver, type Instant, unreachable } from "../../base/index.ts";
import { type NodeId, nodeIdOf } from "../../identity/index.ts";
import { apart } from "../../io/defer.ts";
import type { SecurePath } from "../channel/secure-path.ts";
import type {
  CloseOptions,
  DatagramListener,
  Link,
  LinkPath,
  LinkStream,
  OpenStreamOptions,
  StreamHandler,
} from "../contract.ts";
import { requireCloseOptions, requireDatagram } from "../given.ts";
import { ListenerSet } from "../listener-set.ts";
import { encodeControl } from "../mux/link-records.ts";
import { requireProtocol, type StreamId } from "../mux/mux-frames.ts";
import { LinkCore } from "./link-core.ts";
import type { CoreLinkOptions, LinkOwner } from "./link-parts.ts";
import { CoreLinkStream, RESET, resetError, type StreamPort } from "./link-stream.ts";
import { LinkTurns } from "./link-turns.ts";
import type { LinkEffect, LinkInput } from "./protocol.ts";
import { ProtocolTable } from "./protocol-table.ts";
import { StreamOpenings } from "./stream-openings.ts";

/** How often in the time of a silence a record that comes slowly counts as a sign of life. */
const PARTIAL_SHARE = 4;
const TOO_MANY = "no stream can be opened on this link now, and too many wait";

/** A path that is ready to carry a link, and what the two ends said about it. */
export interface NewPath {
  readonly path: SecurePath;
  readonly about: LinkPath;
  /** Numbered records that the peer has, and that it was told to have come here. */
  readonly peerReceived: number;
  readonly receivedTold: number;
  /** Which of the link's paths it is. */
  readonly epoch: number;
}

/** The shell of one link: drives its core, its streams and the path that it is on. */
export class CoreLink implements Link {
  readonly peer: NodeId;
  readonly peerKey: Uint8Array;
  readonly isInitiator: boolean;
  readonly linkId: Uint8Array;
  readonly source: string | undefined;
  readonly place: string;
  readonly owner: LinkOwner;
  readonly #core: LinkCore;
  readonly #driver: Driver<LinkInput, LinkEffect>;
  readonly #turns: LinkTurns;
  readonly #port: StreamPort;
  readonly #streams = new Map<StreamId, CoreLinkStream>();
  readonly #openings = new StreamOpenings();
  readonly #handlers = new ProtocolTable<StreamHandler>();
  readonly #listeners = new ProtocolTable<DatagramListener>();
  readonly #pathListeners = new ListenerSet<[LinkPath | undefined]>();
  readonly #closeListeners = new ListenerSet<[CulvertError | undefined]>();
  #path: SecurePath | undefined;
  #about: LinkPath | undefined;
  #lastAbout: LinkPath | undefined;
  #holds = 0;
  #epoch = 0;
  #epochProposed = 0;
  #usedAt: number;
  #partialAt = Number.NEGATIVE_INFINITY;
  #isOpen = true;
  #isClosing = false;
  #closedBy: CulvertError | undefined;

  constructor(options: CoreLinkOptions) {
    const { owner, peerKey, isInitiator } = options;
    this.owner = owner;
    this.peerKey = peerKey;
    this.peer = nodeIdOf(peerKey);
    this.isInitiator = isInitiator;
    this.linkId = options.linkId;
    this.source = options.source;
    this.place = options.place;
    this.#usedAt = owner.clock.now();
    this.#core = new LinkCore({
      limits: owner.limits,
      isInitiator,
      peer: options.peer,
      now: this.#usedAt,
    });
    const perform = (effect: LinkEffect): void => apart(() => this.#perform(effect));
    this.#driver = new Driver(this.#core, owner.clock, perform);
    this.#driver.setBackground(true);
    this.#turns = new LinkTurns(this.#core, this.#driver, () =>
      this.#path?.roomBytes(owner.limits.pathBytesMax),
    );
    this.#port = {
      clock: owner.clock,
      leftMs: owner.limits.drainMs,
      write: (id, chunks) => this.#turns.turn({ kind: "write", id, chunks }),
      end: (id) => this.#turns.turn({ kind: "end", id }),
      reset: (id, code) => this.#turns.turn({ kind: "reset", id, code }),
      consumed: (id, credit) => this.#turns.turn({ kind: "consumed", id, credit }),
      release: (id) => {
        this.#usedAt = owner.clock.now();
        this.#streams.delete(id);
      },
    };
  }

  get path(): LinkPath | undefined {
    return this.#about;
  }

  get lastPath(): LinkPath | undefined {
    return this.#lastAbout;
  }

  get carrier(): LinkPath["carrier"] {
    return this.#lastAbout?.carrier ?? "attached";
  }

  get isRelayed(): boolean {
    return this.#lastAbout?.isRelayed ?? false;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Not any more while the open streams are let end. */
  get takesStreams(): boolean {
    return this.#isOpen && !this.#isClosing;
  }

  get streamCount(): number {
    return this.#core.streamCount;
  }

  /** Since when nobody has used the link; `undefined` while it is in use. */
  get idleSince(): number | undefined {
    const isUsed = this.#holds > 0 || this.#openings.size > 0 || this.streamCount > 0;
    return isUsed ? undefined : this.#usedAt;
  }

  /** Numbered records that have come: what the peer is told for a new path. */
  get received(): number {
    return this.#core.received;
  }

  /** Which of the link's paths is in use; a later one has a higher number. */
  get epoch(): number {
    return this.#epoch;
  }

  /**
   * The number for a path that this end proposes: never one of the peer's, and another each time,
   * for the peer may be on the path of a proposal whose answer got lost.
   */
  nextEpoch(): number {
    const next = Math.max(this.#epoch, this.#epochProposed) + 1;
    this.#epochProposed = next % 2 === (this.isInitiator ? 0 : 1) ? next : next + 1;
    return this.#epochProposed;
  }

  /** Goes on over another path, which is handed over; the one before is closed. */
  takePath({ path, about, peerReceived, receivedTold, epoch }: NewPath): void {
    const old = this.#path;
    this.#epoch = epoch;
    this.#path = path;
    path.handOver({
      message: (payload) => this.#turns.turn({ kind: "message", payload }),
      partial: () => this.#notePartial(),
      datagram: (payload) => this.#driver.handle({ kind: "loose", payload }),
      drained: () => this.#turns.refresh(),
      closed: () => this.#loosePath(path),
    });
    old?.close(true);
    // Before anybody else: whatever is written then has to be numbered for this path.
    this.#driver.handle({ kind: "path", peerReceived, receivedTold });
    if (this.#path === path) this.#setAbout(about);
    this.#turns.refresh();
  }

  async openStream(protocol: string, options: OpenStreamOptions = {}): Promise<LinkStream> {
    requireProtocol(protocol);
    if (!this.takesStreams) throw this.#closedError();
    return this.#openings.open(protocol, options, {
      ask: (asking) => this.#turns.turn({ kind: "open", ...asking }),
      cancel: (ticket) => this.#turns.turn({ kind: "cancel-open", ticket }),
    });
  }

  handle(protocol: string, onStream: StreamHandler): Cancel {
    return this.#handlers.set(protocol, onStream);
  }

  sendDatagram(protocol: string, bytes: Uint8Array): boolean {
    requireProtocol(protocol);
    const { limits } = this.owner;
    requireDatagram(bytes, limits.datagramBytesMax);
    const path = this.#path;
    if (!this.#isOpen || path === undefined) return false;
    if (path.isBackedUp(limits.pathBytesMax)) return false;
    this.#usedAt = this.owner.clock.now();
    const payload = encodeControl({ kind: "datagram", protocol, bytes });
    if (path.hasDatagrams) path.sendDatagram(payload);
    else path.send(payload);
    return true;
  }

  onDatagram(protocol: string, listener: DatagramListener): Cancel {
    return this.#listeners.set(protocol, listener);
  }

  onPath(listener: (path: LinkPath | undefined) => void): Cancel {
    return this.#pathListeners.add(listener);
  }

  onClose(listener: (error: CulvertError | undefined) => void): Cancel {
    if (this.#isOpen) return this.#closeListeners.add(listener);
    listener(this.#closedBy);
    return () => {};
  }

  hold(): Cancel {
    let isHeld = true;
    this.#holds += 1;
    return () => {
      if (isHeld) this.#holds -= 1;
      isHeld = false;
      this.#usedAt = this.owner.clock.now();
    };
  }

  close(options: CloseOptions = {}): Promise<void> {
    requireCloseOptions(options);
    this.#isClosing = true;
    this.#openings.fail(this.#closedError());
    return new Promise((resolve) => {
      this.onClose(() => resolve());
      this.#turns.turn({ kind: "close", isGraceful: options.graceful ?? false });
    });
  }

  /**
   * Asks the peer for a sign of life, because another one has been silent since then, unless this
   * one was heard, or was asked not long ago.
   *
   * @returns whether it was asked
   */
  doubt(since: Instant): boolean {
    const isDoubtful = this.#core.isDoubtful(since, this.owner.clock.now());
    if (!isDoubtful || !this.#isAtOwnPath) return false;
    this.#turns.turn({ kind: "doubt" });
    return true;
  }

  /** Ends the link without a word: no path leads to the peer any more. */
  abandon(error: CulvertError): void {
    this.#driver.handle({ kind: "abandon", error });
  }

  /** Told now and then: a fast path has a piece of a record in each of its chunks. */
  #notePartial(): void {
    const now = this.owner.clock.now();
    if (now < this.#partialAt + this.owner.limits.silenceMs / PARTIAL_SHARE) return;
    this.#partialAt = now;
    this.#turns.turn({ kind: "partial" });
  }

  #perform(effect: LinkEffect): void {
    switch (effect.kind) {
      case "send":
        this.#path?.send(effect.payload);
        if (effect.number !== undefined) this.#path?.copy(effect.number, effect.payload);
        break;
      case "copy":
        this.#path?.copy(effect.number, effect.payload);
        break;
      case "opened":
        this.#opened(effect.ticket, effect.id);
        if (effect.isLast) void this.close({ graceful: true });
        break;
      case "open-refused":
        this.#openings.find(effect.ticket)?.reject(new CulvertError("CULVERT_BUSY", TOO_MANY));
        break;
      case "accept":
        this.#accept(effect);
        break;
      case "data":
        this.#streams.get(effect.id)?.deliver(effect.bytes);
        break;
      case "ended":
        this.#streams.get(effect.id)?.deliverEnd();
        break;
      case "written":
        this.#streams.get(effect.id)?.written();
        break;
      case "end-sent":
        this.#streams.get(effect.id)?.endSent();
        break;
      case "reset":
        this.#streams.get(effect.id)?.fail(resetError(effect.code));
        break;
      case "datagram":
        this.#dispatchDatagram(effect.protocol, effect.bytes);
        break;
      case "late":
        // What is under an attached path has a link of its own, which goes on by itself.
        if (this.#isAtOwnPath) this.owner.answerLate(effect.since);
        break;
      case "silence":
        this.#path?.close(true);
        if (this.#path !== undefined) this.#loosePath(this.#path);
        break;
      case "over":
        this.#finish(effect.error);
        break;
      default:
        unreachable(effect);
    }
  }

  #opened(ticket: number, id: StreamId): void {
    const opening = this.#openings.find(ticket);
    if (opening === undefined) this.#turns.turn({ kind: "reset", id, code: RESET.cancelled });
    else opening.resolve(this.#addStream(id, opening.protocol, opening.priority));
  }

  #accept(effect: LinkEffect & { readonly kind: "accept" }): void {
    const { id, protocol, priority } = effect;
    const stream = this.#addStream(id, protocol, priority);
    const handler = this.#handlers.get(protocol) ?? this.owner.handlerOf(protocol);
    if (handler === undefined) {
      stream.refuse(RESET.refused);
      return;
    }
    try {
      handler(stream, this);
    } catch {
      // What a handler throws is its own affair; the peer is told that it failed.
      stream.refuse(RESET.failed);
    }
  }

  #addStream(id: StreamId, protocol: string, priority: LinkStream["priority"]): CoreLinkStream {
    const { id: localId } = this.owner;
    const port = this.#port;
    const stream = new CoreLinkStream({ id, protocol, priority, link: this, localId, port });
    this.#streams.set(id, stream);
    return stream;
  }

  #dispatchDatagram(protocol: string, bytes: Uint8Array): void {
    this.#usedAt = this.owner.clock.now();
    const listener = this.#listeners.get(protocol) ?? this.owner.listenerOf(protocol);
    listener?.(bytes, this);
  }

  #loosePath(path: SecurePath): void {
    if (this.#path !== path || !this.#isOpen) return;
    this.#path = undefined;
    this.#setAbout(undefined);
    this.#driver.handle({ kind: "path-lost" });
    this.owner.pathLost(this);
  }

  get #isAtOwnPath(): boolean {
    return this.#about !== undefined && this.#about.carrier !== "attached";
  }

  #setAbout(about: LinkPath | undefined): void {
    this.#about = about;
    if (about !== undefined) this.#lastAbout = about;
    this.#pathListeners.tell(about);
  }

  #finish(error: CulvertError | undefined): void {
    this.#isOpen = false;
    this.#closedBy = error;
    this.#driver.stop();
    this.#path?.close(false);
    this.#path = undefined;
    this.#about = undefined;
    const reason = this.#closedError();
    this.#openings.fail(reason);
    for (const stream of this.#streams.values()) apart(() => stream.fail(reason));
    this.owner.over(this);
    this.#closeListeners.tell(error);
    this.#closeListeners.clear();
    this.#pathListeners.clear();
  }

  #closedError(): CulvertError {
    return this.#closedBy ?? new CulvertError("CULVERT_CLOSED", "the link is closed");
  }
}
