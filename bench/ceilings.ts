/**
 * How many frames a second one core can do at best, by provider and size of cell: everything that
 * all parties of one frame compute, and nothing else. Other benchmarks are ratios to this.
 *
 * Run: `npx tsx bench/ceilings.ts`.
 */
import { assert, concatBytes, equalBytes, SeededRandom, utf8 } from "../src/base/index.ts";
import {
  BlindedSigner,
  blindPublicKey,
  CELL_OVERHEAD_BYTES,
  type Chain,
  crypto,
  deriveDirection,
  loadProvider,
  openCell,
  type ProviderName,
  rootPublicKey,
  sealCell,
  useProvider,
} from "../src/crypto/index.ts";
import { check, measure, printTable, type Subject, writeResults } from "./harness.ts";

const NAMES: readonly ProviderName[] = ["noble", "node", "sodium"];
const SIZES_KIB = [1, 2, 8, 32] as const;

const random = new SeededRandom(1);
const { seed, chain: first } = deriveDirection(random.bytes(32), "listener");
const root = rootPublicKey(seed);
const context = utf8("data");

interface Record {
  readonly address: Uint8Array;
  readonly signature: Uint8Array;
  readonly cell: Uint8Array;
}

/** One frame by the writer: chain step, id and key, blinded key, seal, sign. */
function write(chain: Chain, frame: Uint8Array): { next: Chain; record: Record } {
  const cell = sealCell(chain.frameKey(context), random.bytes(24), frame);
  const signer = new BlindedSigner(seed, chain.frameId(context));
  const signature = signer.sign(signedBytes(cell));
  return { next: chain.next(), record: { address: signer.address, signature, cell } };
}

/** What a storage node computes for a put. */
function accept({ address, signature, cell }: Record): boolean {
  return crypto().ed25519Verify(address, signedBytes(cell), signature);
}

/** One frame by a reader who knows the root's public key: chain step, id and key, address, open. */
function read(chain: Chain, { address, cell }: Record): { next: Chain; frame: Uint8Array } {
  const expected = blindPublicKey(root, chain.frameId(context));
  check(equalBytes(expected, address), "the reader's address");
  const frame = openCell(chain.frameKey(context), cell);
  assert(frame !== undefined, "the cell opens");
  return { next: chain.next(), frame };
}

/** The canonical bytes of BEP 44 that a record's signature covers. */
function signedBytes(cell: Uint8Array): Uint8Array {
  return concatBytes(utf8(`3:seqi1e1:v${cell.length}:`), cell);
}

/** The work of all parties for one frame after the other, as one loop. */
function wholeFrame(frame: Uint8Array): () => void {
  let writer = first;
  let reader = first;
  return () => {
    const written = write(writer, frame);
    check(accept(written.record), "the node accepts");
    const got = read(reader, written.record);
    writer = written.next;
    reader = got.next;
  };
}

function verifyOnce(frame: Uint8Array): Record {
  const { record } = write(first, frame);
  check(accept(record), "a good record is accepted");
  const damaged = record.cell.with(50, (record.cell[50] ?? 0) ^ 1);
  check(!accept({ ...record, cell: damaged }), "a damaged one is not");
  check(openCell(first.frameKey(context), damaged) === undefined, "nor does it open");
  check(equalBytes(read(first, record).frame, frame), "the frame comes back");
  return record;
}

async function main(): Promise<void> {
  const results: { provider: string; kib: number; [part: string]: string | number }[] = [];
  for (const kib of SIZES_KIB) {
    const frame = random.bytes(kib * 1024 - CELL_OVERHEAD_BYTES);
    for (const name of NAMES) {
      const provider = loadProvider(name);
      assert(provider !== undefined, `${name} is installed`);
      useProvider(provider);
      const record = verifyOnce(frame);
      const subjects: Subject[] = [
        { name: "frame", run: wholeFrame(frame) },
        { name: "writer", run: () => void write(first, frame) },
        { name: "node", run: () => void accept(record) },
        { name: "reader", run: () => void read(first, record) },
      ];
      const timings = await measure(subjects, { rounds: 9 });
      const us = Object.fromEntries(timings.map((timing) => [`${timing.name} µs`, timing.us]));
      const perSecond = timings[0]?.perSecond ?? 0;
      results.push({
        provider: name,
        kib,
        "frames/s": perSecond,
        "MB/s": (perSecond * kib) / 976.5625,
        ...us,
      });
    }
  }
  printTable("ceilings: all parties of one frame on one core", results);
  writeResults("ceilings", results);
}

await main();
