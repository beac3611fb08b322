import { verifyRecord } from "../mapservice/index.ts";
import type { ExitChecks } from "../onion/index.ts";
import { testimonyOf } from "./quorum-receipts.ts";

/** Nodes that have to sign for a put to count. */
const QUORUM = 3;

/**
 * What a client checks of an exit. A put counts when as many nodes have signed that they keep the
 * record as the quorum asks for, or as there are. An exit with few receipts may know few nodes; one
 * with forged receipts, or with a record that its address did not sign, lies: honest ones have
 * looked at both.
 *
 * @param nodesKnown how many nodes the client knows now
 */
export function exitChecks(nodesKnown: () => number): ExitChecks {
  return {
    receiptOf: (record, receipt) => {
      const { signers, isForged } = testimonyOf(receipt, record);
      if (isForged) return "lie";
      return signers.length >= Math.max(Math.min(QUORUM, nodesKnown()), 1) ? "proof" : "no-proof";
    },
    isGenuine: verifyRecord,
  };
}
