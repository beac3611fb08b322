import { assert, concatBytes, equalBytes, SeededRandom, utf8 } from "../src/base/index.ts";
import {
  type AddressesOf,
  addressesOfRoot,
  addressesOfSeed,
  BlindedSigner,
  type Chain,
  crypto,
  deriveDirection,
  openCell,
  rootPublicKey,
  sealCell,
} from "../src/crypto/index.ts";
import { check } from "./harness.ts";

const random = new SeededRandom(1);
const { seed, chain: first } = deriveDirection(random.bytes(32), "listener");
const root = rootPublicKey(seed);
const context = utf8("data");

/** How a reader finds its frames: by the secret, as one end of a stream, or without having it. */
export const READERS: Readonly<Record<"secret" | "capability", AddressesOf>> = {
  secret: addressesOfSeed(seed),
  capability: addressesOfRoot(root),
};

/** What a storage node gets for one frame. */
export interface SignedCell {
  readonly address: Uint8Array;
  readonly signature: Uint8Array;
  readonly cell: Uint8Array;
}

/** One frame by the writer: chain step, id and key, blinded key, seal, sign. */
export function write(frame: Uint8Array, chain = first): { next: Chain; record: SignedCell } {
  const cell = sealCell(chain.frameKey(context), random.bytes(24), frame);
  const signer = BlindedSigner.of(seed, chain.frameId(context));
  const signature = signer.sign(signedBytes(cell));
  return { next: chain.next(), record: { address: signer.address, signature, cell } };
}

/** What a storage node computes for a put. */
export function accept({ address, signature, cell }: SignedCell): boolean {
  return crypto().ed25519Verify(address, signedBytes(cell), signature);
}

/** One frame by a reader: chain step, id and key, address, open. */
export function read(
  { address, cell }: SignedCell,
  addressesOf: AddressesOf,
  chain = first,
): { next: Chain; frame: Uint8Array } {
  const [expected = root] = addressesOf([chain.frameId(context)]);
  check(equalBytes(expected, address), "the reader's address");
  const frame = openCell(chain.frameKey(context), cell);
  assert(frame !== undefined, "the cell opens");
  return { next: chain.next(), frame };
}

/** The work of all parties for one frame after the other, as one loop. */
export function wholeFrame(frame: Uint8Array, addressesOf: AddressesOf): () => void {
  let writer = first;
  let reader = first;
  return () => {
    const written = write(frame, writer);
    check(accept(written.record), "the node accepts");
    const got = read(written.record, addressesOf, reader);
    writer = written.next;
    reader = got.next;
  };
}

/** A record of `frame`, once everything about it was found to be as it should. */
export function checkedRecord(frame: Uint8Array): SignedCell {
  const { record } = write(frame);
  check(accept(record), "a good record is accepted");
  const damaged = record.cell.with(50, (record.cell[50] ?? 0) ^ 1);
  check(!accept({ ...record, cell: damaged }), "a damaged one is not");
  check(openCell(first.frameKey(context), damaged) === undefined, "nor does it open");
  for (const addressesOf of Object.values(READERS)) {
    check(equalBytes(read(record, addressesOf).frame, frame), "the frame comes back");
  }
  return record;
}

/** The canonical bytes of BEP 44 that a record's signature covers. */
function signedBytes(cell: Uint8Array): Uint8Array {
  return concatBytes(utf8(`3:seqi1e1:v${cell.length}:`), cell);
}
