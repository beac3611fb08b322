import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import { Voucher } from "../../../src/link/relay/voucher.ts";

const random = new SeededRandom(5);

describe("a voucher", () => {
  const relay = new NodeIdentity(random.bytes(32));
  const claims = {
    holder: random.bytes(32),
    issuedAtUnixS: 1_735_689_600,
    expiresAtUnixS: 1_735_693_200,
    quotaBytes: 1_000,
    bytesPerSecond: 10,
  };

  it("comes back as it was", () => {
    const decoded = Voucher.decode(Voucher.sign(relay, claims).toBytes());
    expect(decoded.claims).toEqual(claims);
    expect(decoded.relay).toEqual(relay.id);
  });

  it("is refused with any bit changed, cut anywhere, or longer", () => {
    const bytes = Voucher.sign(relay, claims).toBytes();
    const refused = expect.objectContaining({ code: "CULVERT_PROTOCOL" });
    for (let bit = 0; bit < 8 * bytes.length; bit += 17) {
      const changed = bytes.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => Voucher.decode(changed)).toThrow(refused);
    }
    for (let length = 0; length < bytes.length; length += 11) {
      expect(() => Voucher.decode(bytes.slice(0, length))).toThrow(refused);
    }
    expect(() => Voucher.decode(Uint8Array.of(...bytes, 0))).toThrow(refused);
  });
});
