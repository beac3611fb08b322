import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { NodeIdentity } from "../../src/identity/index.ts";
import { type LinkHost, type LinkStream, openLinkHost } from "../../src/link/index.ts";
import { Pattern } from "../../src/testing/index.ts";
import { UdpNat } from "./udp-nat.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const BYTES = 3_000_000;
const PIECE_BYTES = 30_000;
/** So quick that a test need not wait: a ping after 100 ms, and its answer within 400. */
const limits = { keepAliveMs: 100, silenceMs: 400 };

const openHost = (number: number): Promise<LinkHost> =>
  openLinkHost({
    identity: new NodeIdentity(new Uint8Array(32).fill(number)),
    network: "test",
    udp: LOOPBACK,
    limits,
  });

/** Reads known bytes until the end; `at` is called with how many have come. */
async function read(stream: LinkStream, seed: number, at: (bytes: number) => void) {
  const pattern = new Pattern(seed);
  let received = 0;
  let mismatch: number | undefined;
  stream.on("data", (bytes: Uint8Array) => {
    mismatch ??= pattern.mismatch(received, bytes);
    received += bytes.length;
    at(received);
  });
  await once(stream, "end");
  return { received, mismatch };
}

async function write(stream: LinkStream, seed: number): Promise<void> {
  const pattern = new Pattern(seed);
  for (let at = 0; at < BYTES; at += PIECE_BYTES) {
    if (!stream.write(pattern.bytes(at, PIECE_BYTES))) await once(stream, "drain");
  }
  stream.end();
}

describe("a link over real UDP sockets, behind a NAT whose port changes in the middle", () => {
  it("goes on to the byte, both ways, twice", async () => {
    const [here, there] = [await openHost(1), await openHost(2)];
    const [address] = there.addresses;
    const nat = await UdpNat.open({ to: address ?? LOOPBACK });
    const upwards = new Promise<Awaited<ReturnType<typeof read>>>((resolve, reject) => {
      there.handle("flow", (stream) => {
        read(stream, 1, () => {}).then(resolve, reject);
        write(stream, 2).catch(reject);
      });
    });
    const at = { carrier: "udp", host: LOOPBACK.host, port: nat.port } as const;
    const link = await here.dial({ id: there.id, addresses: [at] });
    const ports = new Set([link.path?.observed?.port]);
    link.onPath((path) => ports.add(path?.observed?.port));
    const stream = await link.openStream("flow");
    const rebindAt = [BYTES / 4, BYTES / 2];
    const downwards = read(stream, 2, (bytes) => {
      if (bytes < (rebindAt[0] ?? Number.POSITIVE_INFINITY)) return;
      rebindAt.shift();
      nat.rebind();
    });
    await write(stream, 1);
    const whole = { received: BYTES, mismatch: undefined };
    expect([await upwards, await downwards]).toEqual([whole, whole]);
    expect(nat.ports).toHaveLength(3);
    ports.delete(undefined);
    expect([...ports], "the link moved each time").toEqual(nat.ports);
    await Promise.all([here.close(), there.close()]);
    await nat.close();
  });
});
