import { describe, expect, it } from "vitest";
import { CulvertError, SeededRandom, toHex, wipe } from "../../../src/base/index.ts";
import { BlindedSigner, crypto } from "../../../src/crypto/index.ts";
import { type NodeId, nodeIdOf } from "../../../src/identity/index.ts";
import { nativeSigner } from "../../../src/io/native-signer.ts";
import { type MapRecord, signReceipts } from "../../../src/mapservice/index.ts";
import { signedBytes } from "../../../src/mapservice/record/record.ts";
import { exitChecks } from "../../../src/node/onion/exit-checks.ts";
import {
  encodeReceipts,
  type NodeReceipt,
  testimonyOf,
} from "../../../src/node/storage/quorum-receipts.ts";
import { serveMap } from "../../../src/onion/map/map-exit.ts";
import { type OnionRecord, RECEIPTS_BYTES_MAX } from "../../../src/onion/map/map-operation.ts";
import { carrierRig, recordOf as cellOf } from "../../onion/carrier-rig.ts";

const random = new SeededRandom(1);

function recordOf(size: number): MapRecord {
  const signer = BlindedSigner.of(random.bytes(32), random.bytes(32));
  const payload = random.bytes(size);
  const signature = signer.sign(signedBytes(1, payload));
  return { address: signer.address, signature, seq: 1, ttlSeconds: 60, payload };
}

function signerOf(node: number) {
  return nativeSigner(new Uint8Array(32).fill(node));
}

function idOf(node: number): NodeId {
  return nodeIdOf(signerOf(node).publicKey);
}

/** When receipts end, and a time at which that is an hour ahead. */
const EXPIRES_MS = 1_800_000_000_000;
const CLOCK = { unixMs: () => EXPIRES_MS - 3_600_000 };

/** What an exit says that has these receipts, of a life that they have signed. */
function told(receipts: readonly NodeReceipt[], ttlSeconds = 3_600) {
  return { ttlSeconds, receipt: encodeReceipts(receipts, 4_096) };
}

/** The word of a node that it keeps the record, among so many others of one durable write. */
function receiptOf(
  node: number,
  record: OnionRecord,
  others = 0,
  expiresMs = EXPIRES_MS,
): NodeReceipt {
  const signer = signerOf(node);
  const claim = {
    address: record.address,
    seq: record.seq,
    payloadHash: crypto().sha256(record.payload),
    expiresMs,
  };
  const claims = Array.from({ length: others }, () => ({ ...claim, address: random.bytes(32) }));
  const [receipt] = signReceipts([claim, ...claims], signer);
  if (receipt === undefined) throw new Error("one receipt for each claim");
  return { nodeKey: signer.publicKey, receipt };
}

describe("what a client checks of an exit", () => {
  const record = recordOf(100);
  const other = recordOf(100);
  const exit = idOf(100);
  const checks = exitChecks({ count: 10, near: () => undefined }, CLOCK);
  const judge = (...receipts: NodeReceipt[]): string =>
    checks.receiptOf(record, told(receipts), exit);

  it("believes three nodes, whatever else they wrote at the time", () => {
    const [a, b, c] = [receiptOf(1, record), receiptOf(2, record, 5), receiptOf(3, record, 100)];
    expect(judge(a, b, c)).toBe("proof");
    expect(testimonyOf(encodeReceipts([a, b, c], 4_096), record)).toEqual({
      signers: [a, b, c].map(({ nodeKey }) => nodeIdOf(nodeKey)),
      lasting: 3,
      isForged: false,
    });
  });

  it("believes of a life what most of the quorum have signed, but for clocks that are off", () => {
    const [hourMs, dayMs] = [3_600_000, 24 * 3_600_000];
    const earlier = [1, 2, 3].map((node) => receiptOf(node, record, 0, EXPIRES_MS - dayMs));
    const [b, c] = [receiptOf(2, record), receiptOf(3, record)];
    const isBelieved = (receipts: readonly NodeReceipt[], lifeMs: number): boolean =>
      checks.receiptOf(record, told(receipts, lifeMs / 1_000), exit) === "proof";
    expect(isBelieved(earlier, hourMs), "receipts of an earlier put").toBe(false);
    expect(isBelieved([b, ...earlier.slice(2), ...earlier.slice(0, 1)], hourMs)).toBe(false);
    expect(isBelieved([b, c, ...earlier.slice(0, 1)], hourMs), "one clock is wrong").toBe(true);
    const all = [receiptOf(1, record), b, c];
    expect(isBelieved(all, 3 * hourMs), "clocks are an hour off").toBe(true);
    expect(isBelieved(all, dayMs), "a longer life than was granted").toBe(false);
  });

  it("does not count a node twice, and asks for no more nodes than there are", () => {
    const [a, b] = [receiptOf(1, record), receiptOf(2, record)];
    expect(judge(a, b, b)).toBe("no-proof");
    const few = exitChecks({ count: 2, near: () => [idOf(1), idOf(2)] }, CLOCK);
    expect(few.receiptOf(record, told([a, b]), exit)).toBe("proof");
    const alone = exitChecks({ count: 0, near: () => undefined }, CLOCK);
    expect(alone.receiptOf(record, told([a]), exit)).toBe("proof");
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
    expect(checks.receiptOf(record, { ttlSeconds: 60, receipt: good.subarray(0, -1) }, exit)).toBe(
      "lie",
    );
    for (let at = 0; at < good.length; at += 3) {
      const flipped = good.with(at, (good[at] ?? 0) ^ 4);
      expect(
        checks.receiptOf(record, { ttlSeconds: 60, receipt: flipped }, exit),
        `byte ${at}`,
      ).toBe("lie");
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

describe("a client that knows everybody", () => {
  const record = recordOf(100);
  const near = [1, 2, 3, 4, 5].map(idOf);
  const setUp = () => {
    const checks = exitChecks({ count: 30, near: () => near }, CLOCK);
    return (exit: number, nodes: number[], of = record): string => {
      const receipts = nodes.map((node) => receiptOf(node, of));
      return checks.receiptOf(of, told(receipts), idOf(exit));
    };
  };

  it("believes what most of the quorum have signed that are near the address", () => {
    const judge = setUp();
    expect(judge(100, [1, 3, 5])).toBe("proof");
    expect(judge(100, [2, 4, 50])).toBe("proof");
  });

  it("does not believe one exit that strangers keep it, however many and however often", () => {
    const judge = setUp();
    for (let i = 0; i < 3; i++) expect(judge(100, [50, 51, 52])).toBe("no-proof");
    // The exit itself is a node that the client knows, and one of those that are near.
    expect(judge(100, [1, 51, 52])).toBe("no-proof");
    expect(judge(100, [1, ...Array.from({ length: 9 }, (_, i) => 50 + i)])).toBe("no-proof");
  });

  it("believes two exits, of which neither has lied: it may be behind itself", () => {
    const judge = setUp();
    expect(judge(100, [1, 50, 51])).toBe("no-proof");
    expect(judge(101, [2, 50, 51])).toBe("proof");
    const tombstone = { ...record, seq: 2 as const, signature: random.bytes(64) };
    expect(judge(100, [1, 50, 51], tombstone), "another record").toBe("no-proof");
  });

  it("asks for two again when the record is put again", () => {
    const judge = setUp();
    expect(judge(100, [1, 50, 51])).toBe("no-proof");
    expect(judge(101, [2, 50, 51])).toBe("proof");
    expect(judge(102, [50, 51, 52]), "after two that were believed").toBe("no-proof");
    expect(judge(101, [1, 2, 3])).toBe("proof");
    expect(judge(103, [50, 51, 52]), "after one that was").toBe("no-proof");
  });
});

describe("an exit that confirms with keys of its own what it drops", () => {
  const keepers = [1, 2, 3];
  const liar = 3;
  /** Records that were put, those of them that somebody keeps, and those the liar was shown. */
  async function putAll(near: readonly NodeId[] | undefined) {
    const checks = exitChecks({ count: 30, near: () => near }, CLOCK);
    const { net, carrier } = carrierRig({ checks, paths: 2 }, 6);
    const [kept, dropped] = [new Set<string>(), new Set<string>()];
    for (const { index, service } of net.nodes) {
      const put = async (record: OnionRecord) => {
        const isLiar = index === liar;
        (isLiar ? dropped : kept).add(toHex(record.address));
        const signers = isLiar ? [50, 51, 52] : keepers;
        const receipts = signers.map((node) => receiptOf(node, record));
        return { ttlSeconds: 60, receipt: encodeReceipts(receipts, RECEIPTS_BYTES_MAX) };
      };
      const get = () => Promise.reject(new CulvertError("CULVERT_NOT_FOUND"));
      service.setHandlers({ request: serveMap({ put, get }) });
    }
    const confirmed: string[] = [];
    for (let i = 0; dropped.size === 0; i++) {
      const cell = cellOf(i);
      // A stream puts again what was not confirmed.
      for (let isDone = false; !isDone; ) {
        const put = net.clock.runPromise(carrier.put(cell), 60_000);
        isDone = await put.then(
          () => true,
          () => false,
        );
      }
      confirmed.push(toHex(cell.address));
    }
    net.close();
    return { lost: confirmed.filter((address) => !kept.has(address)) };
  }

  it("loses nothing of a client that knows who keeps records", async () => {
    expect((await putAll(keepers.map(idOf))).lost).toEqual([]);
  });

  it("is believed by one that knows a part of the network only", async () => {
    expect((await putAll(undefined)).lost).toHaveLength(1);
  });
});
