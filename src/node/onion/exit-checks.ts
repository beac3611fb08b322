import { type Clock, LruMap, toHex } from "../../base/index.ts";
import { PLACEMENT_LIMITS } from "../../dht/index.ts";
import { isSameNode, type NodeId, nodeIdText } from "../../identity/index.ts";
import { receiptEndsFrom, verifyRecord } from "../../mapservice/index.ts";
import type { ExitChecks } from "../../onion/index.ts";
import { testimonyOf } from "../storage/quorum-receipts.ts";

/**
 * Signers are looked for among so many nodes that are the closest to an address: twice as many as
 * keep a record, since some are gone or full.
 */
const NEAR = 2 * PLACEMENT_LIMITS.replicas;

/** Records of which one exit alone has said that strangers keep them; the oldest is forgotten. */
const DOUBTED_MAX = 4_096;

/** What a client knows of the network. */
export interface KnownNodes {
  /** How many nodes it knows. */
  readonly count: number;
  /** The closest to an address, in any order; `undefined` where there may be nodes it knows not. */
  near(address: Uint8Array, count: number): readonly NodeId[] | undefined;
}

/**
 * What a client checks of an exit. A put counts when as many nodes have signed that they keep the
 * record as the quorum asks for, or as there are. An exit with few receipts may know few nodes; one
 * with forged receipts, or with a record that its address did not sign, lies: honest ones have
 * looked at both.
 *
 * Most of the quorum have to have signed for the life that the exit tells: it may have kept the
 * receipts of an earlier put of the record, or tell of a longer life than was granted.
 *
 * Keys cost nothing, so a client that knows everybody looks who has signed: most of the quorum have
 * to be nodes near the address. It may be behind, and nobody can be asked without telling him where
 * a record lies. So what strangers have signed is no lie: the put counts once another exit confirms
 * it as well.
 */
export function exitChecks(nodes: KnownNodes, clock: Pick<Clock, "unixMs">): ExitChecks {
  const doubted = new LruMap<string, string>(DOUBTED_MAX);
  return {
    receiptOf: (record, { receipt, ttlSeconds }, exit) => {
      const until = receiptEndsFrom(ttlSeconds, clock.unixMs());
      const { signers, lasting, isForged } = testimonyOf(receipt, record, until);
      if (isForged) return "lie";
      const quorum = Math.max(Math.min(PLACEMENT_LIMITS.quorum, nodes.count), 1);
      if (signers.length < quorum || 2 * lasting <= quorum) return "no-proof";
      const near = nodes.near(record.address, NEAR);
      const isNear = (signer: NodeId): boolean =>
        near?.some((node) => isSameNode(node, signer)) === true;
      const [key, name] = [toHex(record.signature), nodeIdText(exit)];
      const first = doubted.get(key) ?? name;
      const isTrusted = near === undefined || 2 * signers.filter(isNear).length > quorum;
      if (!isTrusted && first === name) {
        doubted.set(key, name);
        return "no-proof";
      }
      // What was said of this put says nothing of the next one, when the record is refreshed.
      doubted.delete(key);
      return "proof";
    },
    isGenuine: verifyRecord,
  };
}
