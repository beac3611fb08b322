import type { Instant, Random } from "../../base/index.ts";
import { isSameNode, type NodeId } from "../../identity/index.ts";
import type { HostPort } from "../carrier/carrier.ts";
import { addressKey } from "./own-addresses.ts";
import { ASK_NONCE_BYTES, encodeAsk } from "./probe.ts";

/** Questions that wait for an answer; the oldest one gives way. */
const ASKS_MAX = 16;
/** When a question is repeated, and at the end given up. */
const ASK_REPEATS_MS = [250, 750, 1_500, 3_000] as const;

interface Ask {
  readonly node: NodeId;
  readonly address: HostPort;
  readonly bytes: Uint8Array;
  readonly askedAt: Instant;
  repeats: number;
}

/** The questions to other nodes at which address they see us, from datagrams that may get lost. */
export class AddressAsks {
  readonly #random: Random;
  readonly #send: (bytes: Uint8Array, to: HostPort) => void;
  readonly #asks = new Map<string, Ask>();

  constructor(parts: {
    readonly random: Random;
    readonly send: (bytes: Uint8Array, to: HostPort) => void;
  }) {
    this.#random = parts.random;
    this.#send = parts.send;
  }

  /** Asks a node, unless it is being asked there. */
  ask(node: NodeId, address: HostPort, now: Instant): void {
    const isAsked = (ask: Ask): boolean =>
      isSameNode(ask.node, node) && addressKey(ask.address) === addressKey(address);
    // Others have us ask, and say where: each call through a relay does.
    if ([...this.#asks.values()].some(isAsked)) return;
    const nonce = this.#random.bytes(ASK_NONCE_BYTES);
    const bytes = encodeAsk(nonce);
    this.#asks.set(askKey(address, nonce), { node, address, bytes, askedAt: now, repeats: 0 });
    if (this.#asks.size > ASKS_MAX) {
      const oldest = this.#asks.keys().next();
      if (oldest.done !== true) this.#asks.delete(oldest.value);
    }
    this.#send(bytes, address);
  }

  /** The node whose answer this is, which is taken once; `undefined` where nobody was asked so. */
  answered(from: HostPort, nonce: Uint8Array): NodeId | undefined {
    const key = askKey(from, nonce);
    const ask = this.#asks.get(key);
    this.#asks.delete(key);
    return ask?.node;
  }

  timeout(now: Instant): void {
    for (const [key, ask] of [...this.#asks]) {
      if (now < repeatAt(ask)) continue;
      ask.repeats += 1;
      if (repeatAt(ask) === Number.POSITIVE_INFINITY) this.#asks.delete(key);
      else this.#send(ask.bytes, ask.address);
    }
  }

  deadline(): Instant {
    let first = Number.POSITIVE_INFINITY;
    for (const ask of this.#asks.values()) first = Math.min(first, repeatAt(ask));
    return first;
  }
}

function repeatAt({ askedAt, repeats }: Ask): Instant {
  return askedAt + (ASK_REPEATS_MS[repeats] ?? Number.POSITIVE_INFINITY);
}

function askKey(address: HostPort, nonce: Uint8Array): string {
  return `${addressKey(address)}|${String.fromCharCode(...nonce)}`;
}
