import {
  type Cancel,
  Canceller,
  type Clock,
  Driver,
  resolveLimits,
  unreachable,
} from "../../base/index.ts";
import { addressPrefix, type NodeId, type NodeIdentity, nodeIdText } from "../../identity/index.ts";
import type { Link, LinkHost, LinkStream } from "../contract.ts";
import type { LegId } from "./circuit.ts";
import { CALL_PROTOCOL, RELAY_PROTOCOL } from "./frames.ts";
import { RELAY_LIMITS, type RelayLimits } from "./limits.ts";
import type { RelayEffect, RelayInput, RelayStatistics } from "./protocol.ts";
import { RelayCore } from "./relay-core.ts";

/** What a relay is made of. The host is borrowed. */
export interface RelayServiceOptions {
  readonly host: LinkHost;
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  readonly limits?: Partial<RelayLimits>;
}

/** Offers a node as a relay to its peers: the shell of a {@link RelayCore} on a host's links. */
export class RelayService {
  readonly #options: RelayServiceOptions;
  readonly #core: RelayCore;
  readonly #driver: Driver<RelayInput, RelayEffect>;
  readonly #legs = new Map<LegId, LinkStream>();
  /** Streams that holders have not let us have yet. */
  readonly #opening = new Map<LegId, Canceller>();
  readonly #stopServing: Cancel;
  #lastLeg: LegId = 0;

  constructor(options: RelayServiceOptions) {
    this.#options = options;
    const { host, identity, clock } = options;
    this.#core = new RelayCore({
      identity,
      limits: resolveLimits(RELAY_LIMITS, options.limits),
      isDirect: (node) => this.#directLink(node) !== undefined,
    });
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
    this.#stopServing = host.handle(RELAY_PROTOCOL, (stream, link) => this.#opened(stream, link));
  }

  get statistics(): RelayStatistics {
    return this.#core.statistics;
  }

  /** Cuts every circuit and forgets every reservation. Idempotent. */
  close(): void {
    this.#stopServing();
    this.#driver.stop();
    for (const opening of this.#opening.values()) opening.abort();
    for (const stream of this.#legs.values()) stream.destroy();
    this.#legs.clear();
  }

  #opened(stream: LinkStream, link: Link): void {
    this.#lastLeg += 1;
    const leg = this.#lastLeg;
    const address = link.path?.remote?.host;
    // Links without an address of their own are one network: what is behind them is not known.
    const network = address === undefined ? "" : addressPrefix(address);
    this.#legs.set(leg, stream);
    this.#driver.handle({
      kind: "opened",
      leg,
      peer: link.peer,
      isRelayed: link.isRelayed,
      network,
    });
    this.#listen(leg, stream);
  }

  #listen(leg: LegId, stream: LinkStream): void {
    const { clock } = this.#options;
    stream.on("error", () => {});
    stream.on("data", (bytes: Uint8Array) => {
      this.#driver.handle({ kind: "bytes", leg, bytes, unixMs: clock.unixMs() });
    });
    stream.on("end", () => this.#driver.handle({ kind: "ended", leg }));
    stream.on("close", () => {
      this.#legs.delete(leg);
      this.#driver.handle({ kind: "closed", leg });
    });
  }

  #perform(effect: RelayEffect): void {
    const stream = this.#legs.get(effect.leg);
    switch (effect.kind) {
      case "open":
        this.#open(effect.leg, effect.peer);
        break;
      case "send":
        stream?.write(effect.bytes, () => {
          this.#driver.handle({ kind: "sent", leg: effect.leg, bytes: effect.bytes.length });
        });
        break;
      case "end":
        stream?.end();
        break;
      case "leave":
        stream?.destroySoon();
        break;
      case "read":
        if (effect.isReading) stream?.resume();
        else stream?.pause();
        break;
      case "reset":
        this.#opening.get(effect.leg)?.abort();
        stream?.destroy();
        break;
      default:
        unreachable(effect);
    }
  }

  #open(leg: LegId, peer: NodeId): void {
    const link = this.#directLink(peer);
    const opening = new Canceller();
    const dialled = (found: LinkStream | undefined): void => {
      // Of one that is gone already nothing more would be heard.
      const stream = found?.closed === true ? undefined : found;
      this.#opening.delete(leg);
      if (opening.signal.aborted) stream?.destroy();
      else if (stream !== undefined) {
        this.#legs.set(leg, stream);
        this.#listen(leg, stream);
      }
      this.#driver.handle({ kind: "dialled", leg, isOpen: stream !== undefined });
    };
    if (link === undefined) {
      dialled(undefined);
      return;
    }
    this.#opening.set(leg, opening);
    const { signal } = opening;
    link.openStream(CALL_PROTOCOL, { signal }).then(dialled, () => dialled(undefined));
  }

  #directLink(node: NodeId): Link | undefined {
    const key = nodeIdText(node);
    // One that has lost its path may come back, or not: a caller should not wait for that.
    return this.#options.host.links().find(({ peer, isOpen, path }) => {
      return isOpen && path?.isRelayed === false && nodeIdText(peer) === key;
    });
  }
}
