import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { crypto, SigningKey } from "../../../src/crypto/index.ts";
import { nodeIdOf } from "../../../src/identity/index.ts";
import { type MapRecord, type Receipt, signReceipts } from "../../../src/mapservice/index.ts";
import { RECEIPT_BYTES_MAX } from "../../../src/mapservice/record/receipt.ts";
import { exitMapOver } from "../../../src/node/onion/exit-map.ts";
import { onionGeometryOf } from "../../../src/node/onion/onion-geometry.ts";
import { encodeReceipts, testimonyOf } from "../../../src/node/storage/quorum-receipts.ts";
import type { ReplicatedMap } from "../../../src/node/storage/replicated-map.ts";
import { RECEIPTS_BYTES_MAX, serveMap } from "../../../src/onion/index.ts";
import { encodeOperation, readOutcome } from "../../../src/onion/map/map-operation.ts";
import { requestBytes } from "../../../src/onion/packet/geometry.ts";

const random = new SeededRandom(1);
const QUORUM = 3;
const RECORD: MapRecord = {
  address: random.bytes(32),
  signature: random.bytes(64),
  seq: 1,
  ttlSeconds: 60,
  payload: random.bytes(100),
};
const KEYS = Array.from({ length: QUORUM }, () => new SigningKey(random.bytes(32)));

/** The receipt of a keeper that has written so many records in one durable step. */
function receiptAmong(count: number, key: SigningKey): Receipt {
  const { address, seq, payload } = RECORD;
  const claim = { address, seq, payloadHash: crypto().sha256(payload), expiresMs: 1_000 };
  const others = Array.from({ length: count - 1 }, () => ({ ...claim, address: random.bytes(32) }));
  const [receipt = expect.fail("one for each claim")] = signReceipts([claim, ...others], key);
  return receipt;
}

function receiptsOf(count: number) {
  return KEYS.map((key) => ({ nodeKey: key.publicKey, receipt: receiptAmong(count, key) }));
}

/** The circuit that they go over. */
const CIRCUIT = { id: 1, source: "", sendData: () => {}, refuse: () => {} };

describe("the receipts of a quorum", () => {
  test.each([1, 8, 9, 256])(
    "of keepers that wrote %i records at once reach the client",
    async (count) => {
      const receipts = receiptsOf(count);
      const replicas = { putForReceipts: async () => ({ ttlSeconds: 60, receipts }) };
      const exit = serveMap(exitMapOver(replicas as unknown as ReplicatedMap));
      const answer = await exit(
        encodeOperation({ kind: "put", record: RECORD }),
        AbortSignal.any([]),
        CIRCUIT,
      );
      for (const cellBytes of [512, 1_900, 8_192]) {
        const geometry = onionGeometryOf({ cellBytes, onionBytes: 2_048, onionHopsMax: 5 });
        expect(answer.length).toBeLessThanOrEqual(requestBytes(geometry));
      }
      const outcome = readOutcome(answer);
      if (outcome.kind !== "stored") expect.fail(`not stored but ${outcome.kind}`);
      expect(testimonyOf(outcome.receipt, RECORD).signers).toEqual(
        KEYS.map((key) => nodeIdOf(key.publicKey)),
      );
    },
  );

  test("have room whatever the depth of their trees", () => {
    expect(1 + QUORUM * (32 + RECEIPT_BYTES_MAX)).toBeLessThanOrEqual(RECEIPTS_BYTES_MAX);
  });

  test("are the shortest ones where there is no room for all", () => {
    const [deep = expect.fail("three"), ...shallow] = receiptsOf(1);
    const [key = expect.fail("three")] = KEYS;
    const all = [{ ...deep, receipt: receiptAmong(256, key) }, ...shallow];
    expect(testimonyOf(encodeReceipts(all, 300), RECORD).signers).toHaveLength(2);
  });
});
