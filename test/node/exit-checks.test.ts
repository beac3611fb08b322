import { describe, expect, it } from "vitest";
import { SeededRandom, wipe } from "../../src/base/index.ts";
import { BlindedSigner, crypto } from "../../src/crypto/index.ts";
import { nodeIdOf } from "../../src/identity/index.ts";
import { nativeSigner } from "../../src/io/native-signer.ts";
import { type MapRecord, signReceipts } from "../../src/mapservice/index.ts";
import { signedBytes } from "../../src/mapservice/record.ts";
import { exitChecks } from "../../src/node/exit-checks.ts";
import { encodeReceipts, type NodeReceipt, testimonyOf } from "../../src/node/quorum-receipts.ts";

const random = new SeededRandom(1);

function recordOf(size: number): MapRecord {
  const signer = new BlindedSigner(random.bytes(32), random.bytes(32));
  const payload = random.bytes(size);
  const signature = signer.sign(signedBytes(1, payload));
  return { address: signer.address, signature, seq: 1, ttlSeconds: 60, payload };
}

/** The word of a node that it keeps the record, among so many others of one durable write. */
function receiptOf(node: number, record: MapRecord, others = 0): NodeReceipt {
  const signer = nativeSigner(new Uint8Array(32).fill(node));
  const claim = {
    address: record.address,
    seq: record.seq,
    payloadHash: crypto().sha256(record.payload),
    expiresMs: 1_000_000,
  };
  const claims = Array.from({ length: others }, () => ({ ...claim, address: random.bytes(32) }));
  const [receipt] = signReceipts([claim, ...claims], signer);
  if (receipt === undefined) throw new Error("one receipt for each claim");
  return { nodeKey: signer.publicKey, receipt };
}

describe("what a client checks of an exit", () => {
  const record = recordOf(100);
  const other = recordOf(100);
  const checks = exitChecks(() => 10);
  const judge = (...receipts: NodeReceipt[]): string =>
    checks.receiptOf(record, encodeReceipts(receipts, 4_096));

  it("believes three nodes, whatever else they wrote at the time", () => {
    const [a, b, c] = [receiptOf(1, record), receiptOf(2, record, 5), receiptOf(3, record, 100)];
    expect(judge(a, b, c)).toBe("proof");
    expect(testimonyOf(encodeReceipts([a, b, c], 4_096), record)).toEqual({
      signers: [a, b, c].map(({ nodeKey }) => nodeIdOf(nodeKey)),
      isForged: false,
    });
  });

  it("does not count a node twice, and asks for no more nodes than there are", () => {
    const [a, b] = [receiptOf(1, record), receiptOf(2, record)];
    expect(judge(a, b, b)).toBe("no-proof");
    const few = exitChecks(() => 2);
    expect(few.receiptOf(record, encodeReceipts([a, b], 4_096))).toBe("proof");
    const alone = exitChecks(() => 0);
    expect(alone.receiptOf(record, encodeReceipts([a], 4_096))).toBe("proof");
  });

  it.each([
    ["none", []],
    ["one for another record", [1, 2, 3].map((node) => receiptOf(node, other))],
    ["one of three for another record", [receiptOf(1, record), receiptOf(2, other)]],
    [
      "one with another node's name",
      [1, 2, 3].map((node) => ({ ...receiptOf(node, record), nodeKey: random.bytes(32) })),
    ],
    [
      "one that promises a longer life",
      [1, 2, 3].map((node) => {
        const { nodeKey, receipt } = receiptOf(node, record);
        return { nodeKey, receipt: { ...receipt, expiresMs: receipt.expiresMs + 1 } };
      }),
    ],
  ])("knows a liar by its receipts: %s", (_, receipts) => {
    expect(judge(...receipts)).toBe("lie");
  });

  it("knows a liar by bytes that are no receipts", () => {
    const good = encodeReceipts(
      [1, 2, 3].map((node) => receiptOf(node, record)),
      4_096,
    );
    expect(checks.receiptOf(record, good.subarray(0, -1))).toBe("lie");
    for (let at = 0; at < good.length; at += 3) {
      const flipped = good.with(at, (good[at] ?? 0) ^ 4);
      expect(checks.receiptOf(record, flipped), `byte ${at}`).toBe("lie");
    }
  });

  it("knows a liar by a record that its address did not sign", () => {
    expect(checks.isGenuine(record)).toBe(true);
    expect(checks.isGenuine({ ...record, address: other.address })).toBe(false);
    const payload = record.payload.slice();
    wipe(payload.subarray(0, 1));
    expect(checks.isGenuine({ ...record, payload })).toBe(false);
  });
});
