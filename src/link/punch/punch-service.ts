import {
  type Cancel,
  type Clock,
  CulvertError,
  Driver,
  type Instant,
  isCulvertError,
  onAbort,
  type Random,
  throwIfAborted,
  unreachable,
} from "../../base/index.ts";
import { isAnyHost, type NodeId, type NodeIdentity, nodeIdText } from "../../identity/index.ts";
import type { HostPort } from "../carrier/carrier.ts";
import type { Link, LinkHost } from "../contract.ts";
import { PUNCH_LIMITS, RENDEZVOUS_LIMITS } from "./limits.ts";
import type { PunchedPath } from "./probe-exchange.ts";
import type { PunchEffect, PunchInput, PunchStatistics } from "./protocol.ts";
import { PunchCore } from "./punch-core.ts";
import { RendezvousCore } from "./rendezvous-core.ts";
import { decodeSignal, encodeSignal, SIGNAL_PROTOCOL } from "./signal.ts";

/** What punching is made of. The host is borrowed. */
export interface PunchServiceOptions {
  readonly host: LinkHost;
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  readonly random: Random;
  /** The addresses of this machine's interfaces now, without ports. */
  readonly localHosts: () => readonly string[];
  /** Whether this node wants a direct path to that one; everybody if it is left out. */
  readonly accepts?: ((peer: NodeId) => boolean) | undefined;
}

/** How long the interfaces are not asked again: strangers' offers must not cost that each time. */
const LOCAL_MS = 1_000;

interface Waiting {
  readonly resolve: (path: PunchedPath) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Finds direct paths for the links of a host, and passes on the signals of others who do: the shell
 * of a {@link PunchCore} and a {@link RendezvousCore}.
 */
export class PunchService {
  readonly #options: PunchServiceOptions;
  readonly #core: PunchCore;
  readonly #driver: Driver<PunchInput, PunchEffect>;
  readonly #rendezvous: RendezvousCore;
  readonly #waiting = new Map<string, Waiting>();
  readonly #cancels: readonly Cancel[];
  #isClosed = false;
  #localUntil: Instant = Number.NEGATIVE_INFINITY;

  constructor(options: PunchServiceOptions) {
    const { host, identity, clock, random, accepts } = options;
    this.#options = options;
    this.#core = new PunchCore({
      identity,
      random,
      limits: PUNCH_LIMITS,
      accepts,
      now: clock.now(),
    });
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
    this.#rendezvous = new RendezvousCore({
      limits: RENDEZVOUS_LIMITS,
      isLinked: (node) => host.find(node) !== undefined,
    });
    this.#cancels = [
      host.onDatagram(SIGNAL_PROTOCOL, (bytes, link) => this.#receive(bytes, link)),
      host.onObserved(({ address, by, remote }) => {
        if (address.carrier !== "udp") return;
        // First of all: what is seen in another network shows nothing of this one.
        this.#noteLocal();
        this.#driver.handle({ kind: "observed", address, by, from: remote?.host });
      }),
      host.probes?.onProbe((bytes, from) => {
        this.#driver.handle({ kind: "datagram", bytes, from });
      }) ?? (() => {}),
    ];
  }

  get statistics(): Readonly<PunchStatistics> {
    return this.#core.statistics;
  }

  /** Where this node may be reached by UDP, by its own interfaces and by what others say. */
  get addresses(): readonly HostPort[] {
    this.#noteLocal();
    return this.#core.ownAddresses(this.#options.clock.now());
  }

  /** Asks a node at its UDP address where it sees this one. */
  ask(node: NodeId, address: HostPort): void {
    if (this.#options.host.probes !== undefined) {
      this.#driver.handle({ kind: "ask", node, address });
    }
  }

  /**
   * Finds a direct path to `peer`; the node `via` has links to both.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when there is none, with the reason in `detail`;
   *   `CULVERT_BUSY` while one is looked for already, `CULVERT_CLOSED`
   * @throws Error `AbortError`
   */
  punch(peer: NodeId, via: NodeId, signal?: AbortSignal): Promise<PunchedPath> {
    const key = nodeIdText(peer);
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
      if (this.#options.host.probes === undefined) throw failure("no-udp");
      if (this.#waiting.has(key)) throw new CulvertError("CULVERT_BUSY");
      const forget = onAbort(signal, (error) => {
        this.#waiting.delete(key);
        this.#driver.handle({ kind: "cancel", peer });
        reject(error);
      });
      this.#waiting.set(key, {
        resolve: (path) => {
          forget();
          resolve(path);
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      });
      const unixMs = this.#options.clock.unixMs();
      this.#noteLocal();
      this.#driver.handle({ kind: "punch", peer, via, unixMs });
    });
  }

  /** Ends every punch, and serves nobody any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    this.#driver.stop();
    for (const { reject } of this.#waiting.values()) reject(new CulvertError("CULVERT_CLOSED"));
    this.#waiting.clear();
  }

  #receive(bytes: Uint8Array, link: Link): void {
    try {
      const message = decodeSignal(bytes);
      const { node } = message;
      if (message.kind === "to") this.#passOn(link, node, message.body);
      else if (message.kind === "from") {
        const { clock } = this.#options;
        const { peer: via, path } = link;
        const viaHost = path?.remote?.host;
        const unixMs = clock.unixMs();
        const bytes = message.body.slice();
        this.#noteLocal();
        this.#driver.handle({ kind: "signal", from: node, via, viaHost, bytes, unixMs });
      } else {
        const { reason } = message;
        this.#driver.handle({ kind: "undelivered", to: node, via: link.peer, reason });
      }
    } catch (error) {
      // What is no signal is nobody's: links have counted the datagram already.
      if (!isCulvertError(error)) throw error;
    }
  }

  #passOn(link: Link, to: NodeId, body: Uint8Array): void {
    const { host, clock } = this.#options;
    const { peer: from } = link;
    const judged = this.#rendezvous.judge({ from, to, bytes: body.length }, clock.now());
    if (judged === "pass") {
      host
        .find(to)
        ?.sendDatagram(SIGNAL_PROTOCOL, encodeSignal({ kind: "from", node: from, body }));
    } else if (judged !== "drop") {
      const failed = encodeSignal({ kind: "failed", node: to, reason: judged });
      link.sendDatagram(SIGNAL_PROTOCOL, failed);
    }
  }

  #perform(effect: PunchEffect): void {
    const { host } = this.#options;
    switch (effect.kind) {
      case "signal": {
        const signal = encodeSignal({ kind: "to", node: effect.to, body: effect.bytes });
        host.find(effect.via)?.sendDatagram(SIGNAL_PROTOCOL, signal);
        break;
      }
      case "datagram":
        host.probes?.send(effect.bytes, effect.to);
        break;
      case "path":
        this.#settle(effect.peer)?.resolve(effect);
        break;
      case "failed":
        this.#settle(effect.peer)?.reject(failure(effect.reason));
        break;
      default:
        unreachable(effect);
    }
  }

  #settle(peer: NodeId): Waiting | undefined {
    const key = nodeIdText(peer);
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    return waiting;
  }

  /** Has the core know where this machine is now: it may have come into another network. */
  #noteLocal(): void {
    const { host, clock, localHosts } = this.#options;
    const bound = host.probes?.address;
    if (bound === undefined || clock.now() < this.#localUntil) return;
    this.#localUntil = clock.now() + LOCAL_MS;
    const hosts = isAnyHost(bound.host) ? localHosts() : [bound.host];
    const addresses = hosts.map((name) => ({ host: name, port: bound.port }));
    this.#driver.handle({ kind: "local", addresses });
  }
}

function failure(reason: string): CulvertError {
  return new CulvertError("CULVERT_UNREACHABLE", `no direct path: ${reason}`, {
    detail: { reason },
  });
}
