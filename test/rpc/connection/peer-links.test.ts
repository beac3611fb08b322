import { describe, expect, it } from "vitest";
import { CulvertError, type ErrorCode } from "../../../src/base/index.ts";
import { CALL_PROTOCOL } from "../../../src/rpc/connection/peer-link.ts";
import { type PeerLink, PeerLinks, Requests } from "../../../src/rpc/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryLinks } from "../memory-links.ts";

const PEER = new Uint8Array(32).fill(7);

/** A node whose dials all fail with this code. */
function lonely(code: ErrorCode) {
  const clock = new VirtualClock();
  const dial = () => Promise.reject(new CulvertError(code));
  const carrier = new PeerLinks({ dial, onLink: () => () => {} }, { clock });
  const requests = new Requests({ carrier, handler: (request) => request.body, clock });
  return { clock, carrier, requests };
}

describe("a peer that no link leads to", () => {
  it.each([
    ["by a limit, is busy", "CULVERT_BUSY", "CULVERT_BUSY"],
    ["is unreachable", "CULVERT_UNREACHABLE", "CULVERT_UNREACHABLE"],
    ["since it is another, is unreachable", "CULVERT_WRONG_PEER", "CULVERT_UNREACHABLE"],
  ] as const)("%s", async (_, failure, code) => {
    const { clock, carrier, requests } = lonely(failure);
    const asked = requests.request(PEER, "ask", new Uint8Array(1)).catch((error) => error.code);
    expect(await clock.runPromise(asked, 1_000)).toBe(code);
    const opened = carrier.openStream(PEER).catch((error) => error.code);
    expect(await clock.runPromise(opened, 1_000)).toBe(code);
    await requests.close({ drainMs: 0 });
  });
});

it("a peer that takes no streams keeps no more waiting here than its share", async () => {
  const clock = new VirtualClock();
  const link: PeerLink = {
    peer: PEER,
    isOpen: true,
    openStream: () => new Promise(() => {}),
    handle: () => () => {},
    onClose: () => () => {},
  };
  const carrier = new PeerLinks(
    { dial: async () => link, onLink: () => () => {} },
    { clock, limits: { queuedBytesPerPeerMax: 10_000 } },
  );
  const send = (): boolean => {
    let isRefused = false;
    carrier.send(PEER, new Uint8Array(1_000), () => {
      isRefused = true;
    });
    return isRefused;
  };
  expect(send()).toBe(false);
  await clock.runUntil(1);
  // One is with the stream that is to come.
  expect(Array.from({ length: 12 }, send)).toEqual([...Array(10).fill(false), true, true]);
  await carrier.close();
});

it("a stream that waits for its link is told that nothing is carried any more", async () => {
  const clock = new VirtualClock();
  const dial = () => new Promise<never>(() => {});
  const carrier = new PeerLinks({ dial, onLink: () => () => {} }, { clock });
  const opened = carrier.openStream(PEER).catch((error) => error.code);
  await carrier.close();
  expect(await clock.runPromise(opened, 1_000)).toBe("CULVERT_CLOSED");
});

it("takes no streams of calls once it is closed, though its links go on", async () => {
  const network = new MemoryLinks();
  const [caller, callee] = [network.join(), network.join()];
  const carrier = new PeerLinks(callee, { clock: new VirtualClock() });
  let taken = 0;
  carrier.onStream((_peer, stream) => {
    taken += 1;
    stream.destroy();
  });
  carrier.start({ received: () => {}, disturbed: () => {} });
  const link = await caller.dial(callee.id);
  const call = async (): Promise<void> => {
    const stream = await link.openStream(CALL_PROTOCOL);
    await new Promise((resolve) => stream.on("close", resolve).resume());
  };
  await call();
  expect(taken).toBe(1);
  await carrier.close();
  await call();
  expect(taken).toBe(1);
});
