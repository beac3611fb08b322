import { Canceller, CulvertError, withSignals } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import {
  type NodeAddress,
  NodeIdentity,
  publicPrefix,
  readNodeAddress,
  writeNodeAddress,
} from "../../identity/index.ts";
import type { Link, LinkHost } from "../../link/index.ts";
import { RateTable } from "../../retx/index.ts";
import type { Machine } from "../machine.ts";
import { NETWORK_NAME } from "../network-name.ts";
import type { DialBackVerdict } from "./reachability-core.ts";

/** Addresses at which one question has a node dialled. */
export const DIAL_BACK_ADDRESSES_MAX = 4;
/** Questions at once: each has a socket for each address. */
const QUESTIONS_MAX = 8;
/** Questions of one network: so many at once, and then one in ten seconds. */
const RATE = { capacity: 6, perSecond: 0.1 } as const;
const NETWORKS_MAX = 1_024;
/** A link that is not there by then counts as missed: long, for a machine that is busy. */
const DIAL_MS = 10_000;

const VERDICTS: readonly DialBackVerdict[] = ["untried", "missed", "met"];

/**
 * Dials a node back for it: whether it is reached at an address by somebody it has not spoken to.
 * That is a socket of its own, under another name, so that no router lets it in as the answer to
 * something. Only the host that the question came from is dialled: nobody is sent to others. Nor
 * into a private network, of which nobody asks: what is there is known already.
 */
export class DialBack {
  readonly #machine: Machine;
  readonly #closing = new Canceller();
  readonly #rates = new RateTable(RATE, NETWORKS_MAX);
  #questions = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** One verdict for each address; none is tried of a relayed link, and of whom asks too often. */
  async judge(
    asker: Link | undefined,
    addresses: readonly NodeAddress[],
  ): Promise<readonly DialBackVerdict[]> {
    const host = asker?.isRelayed === false ? asker.path?.remote?.host : undefined;
    // A private one may be that of a router here, which stands for whoever comes through it.
    const network = host === undefined ? undefined : publicPrefix(host);
    const hasRoom = network !== undefined && this.#questions < QUESTIONS_MAX;
    const isHeard = hasRoom && this.#rates.take(network, this.#machine.clock.now());
    if (asker === undefined || !isHeard) return addresses.map(() => "untried");
    this.#questions += 1;
    try {
      return await Promise.all(
        addresses.map((address) => {
          return address.host === host ? this.#dial(asker, address) : "untried";
        }),
      );
    } finally {
      this.#questions -= 1;
    }
  }

  /** Dials nobody any more; what is under way counts as missed, and nobody is left to tell. */
  close(): void {
    this.#closing.abort();
  }

  async #dial({ peer, peerKey }: Link, address: NodeAddress): Promise<DialBackVerdict> {
    const links = await this.#openLinks(address).catch(() => undefined);
    // No socket, or none of that family: that says nothing of the other end.
    if (links === undefined) return "untried";
    const { clock } = this.#machine;
    const tooLate = new AbortController();
    const cancel = clock.schedule(clock.now() + DIAL_MS, () => tooLate.abort());
    try {
      const target = { id: peer, publicKey: peerKey, addresses: [address] };
      const signals = [tooLate.signal, this.#closing.signal];
      await withSignals(signals, (signal) => links.dial({ ...target, signal }));
      return "met";
    } catch {
      return "missed";
    } finally {
      cancel();
      await links.close();
    }
  }

  /** A stranger's links, for one dial. */
  async #openLinks({ carrier, host }: NodeAddress): Promise<LinkHost> {
    const { random, openLinks } = this.#machine;
    const identity = new NodeIdentity(random.bytes(32));
    const at = host.includes(":") ? "::" : "0.0.0.0";
    const udp = carrier === "udp" && { udp: { host: at, port: 0 } };
    return await openLinks({ identity, network: NETWORK_NAME, ...udp });
  }
}

/** The question: where to dial. Layout: docs/WIRE.md. */
export const DIAL_BACK_QUESTION = {
  encode(addresses: readonly NodeAddress[]): Uint8Array {
    const writer = new Writer(64);
    writer.u8(addresses.length);
    for (const address of addresses) writeNodeAddress(writer, address);
    return writer.finish();
  },
  decode(bytes: Uint8Array): readonly NodeAddress[] {
    const reader = new Reader(bytes);
    const count = reader.u8("addresses");
    if (count > DIAL_BACK_ADDRESSES_MAX) reader.refuse("addresses", "too many");
    const addresses = Array.from({ length: count }, () => readNodeAddress(reader));
    reader.expectEnd();
    return addresses;
  },
};

/** The answer: one verdict for each address, in their order. */
export const DIAL_BACK_ANSWER = {
  encode(verdicts: readonly DialBackVerdict[]): Uint8Array {
    return Uint8Array.from(verdicts, (verdict) => VERDICTS.indexOf(verdict));
  },
  decode(bytes: Uint8Array): readonly DialBackVerdict[] {
    if (bytes.length > DIAL_BACK_ADDRESSES_MAX) throw badAnswer();
    return Array.from(bytes, (byte) => {
      const verdict = VERDICTS[byte];
      if (verdict === undefined) throw badAnswer();
      return verdict;
    });
  },
};

function badAnswer(): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", "an answer to no question of ours");
}
