import { describe, expect, it } from "vitest";
import { type CryptoProvider, loadProvider } from "../../src/crypto/index.ts";
import {
  encodeRecord,
  MapService,
  MemoryRecordStore,
  signedBytes,
} from "../../src/mapservice/index.ts";
import { NO_STAMP } from "../../src/mapservice/record/work-stamp.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { NODE, PAYLOAD_SIZE, recordOf, Witness } from "./fixtures.ts";

type VerifyAside = NonNullable<CryptoProvider["ed25519VerifyAside"]>;

const [node, sodium] = [loadProvider("node"), loadProvider("sodium")];

/** What a provider with threads does, without one: those of a machine of one core have none. */
const later: VerifyAside = (publicKey, message, signature, done) => {
  const isGenuine = node?.ed25519Verify(publicKey, message, signature) ?? false;
  queueMicrotask(() => done(isGenuine));
};

const ways = [
  { name: "another turn", verify: later },
  { name: "threads of node", verify: node?.ed25519VerifyAside },
  { name: "threads of sodium", verify: sodium?.ed25519VerifyAside },
].flatMap(({ name, verify }) => (verify === undefined ? [] : [{ name, verify }]));

describe.each(ways)("a service whose records are verified by $name", ({ verify }) => {
  it("stores what is genuine, refuses what is forged, and waits for both at its end", async () => {
    const service = new MapService({
      store: new MemoryRecordStore({ payloadSize: PAYLOAD_SIZE, entriesMax: 9, bytesMax: 1e6 }),
      clock: new VirtualClock(),
      signer: NODE,
      defer: queueMicrotask,
      verifyAside: ({ address, signature, seq, payload }, done) =>
        verify(address, signedBytes(seq, payload), signature, done),
    });
    const witness = new Witness();
    const requester = service.open("a", witness);
    const other = recordOf(2);
    const payload = other.payload.with(0, (other.payload[0] ?? 0) ^ 1);
    requester?.put(1, encodeRecord(recordOf(1)), NO_STAMP);
    requester?.put(2, encodeRecord({ ...other, payload }), NO_STAMP);
    await service.close();
    expect([witness.kindOf(1), witness.kindOf(2)]).toEqual(["stored", "refused"]);
    expect(service.statistics()).toMatchObject({ verified: 2, verifyFailed: 1, putsStored: 1 });
  });
});
