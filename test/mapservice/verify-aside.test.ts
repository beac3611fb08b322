import { describe, expect, it } from "vitest";
import { loadProvider } from "../../src/crypto/index.ts";
import {
  encodeRecord,
  MapService,
  MemoryRecordStore,
  signedBytes,
} from "../../src/mapservice/index.ts";
import { NO_STAMP } from "../../src/mapservice/work-stamp.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { NODE, PAYLOAD_SIZE, recordOf, Witness } from "./fixtures.ts";

/** A machine of one core has no use for other threads, and nothing to test. */
const providers = (["node", "sodium"] as const).flatMap((name) => {
  const verify = loadProvider(name)?.ed25519VerifyAside;
  return verify === undefined ? [] : [{ name, verify }];
});

describe.each(providers)("a service whose records the threads of $name verify", ({ verify }) => {
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
