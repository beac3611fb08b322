import UDX from "udx-native";
import { describe, expect, it, vi } from "vitest";
import { concatBytes, SeededRandom } from "../../src/base/index.ts";
import { udxNetwork } from "../../src/io/udx-network.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const SENT = new SeededRandom(1).bytes(3_000_000);
/** A packet that is lost on a busy machine comes again after a second or more. */
const PATIENTLY = { interval: 1, timeout: 10_000 };

/** Two ends of one stream on the loopback, and the sockets below them. */
async function connected() {
  const [one, other] = [await udxNetwork.bind(LOOPBACK), await udxNetwork.bind(LOOPBACK)];
  const near = one.connect({ localId: 1, remoteId: 2, to: other.address });
  const far = other.connect({ localId: 2, remoteId: 1, to: one.address });
  const close = async (): Promise<void> => void (await Promise.all([one.close(), other.close()]));
  return { near, far, close };
}

type End = Awaited<ReturnType<typeof connected>>["near"];

/** What comes, and a promise of the end. */
function listen(
  end: End,
  noticed: (bytes: Uint8Array) => void = () => {},
  missingBytes: () => number = () => 1,
) {
  const pieces: Uint8Array[] = [];
  const closed = new Promise<void>((resolve) => {
    end.start({
      receive(bytes) {
        pieces.push(bytes);
        noticed(bytes);
      },
      missingBytes,
      drained: () => {},
      closed: () => resolve(),
    });
  });
  return { closed, all: () => concatBytes(...pieces), count: () => pieces.length };
}

function write(end: End): void {
  for (let at = 0; at < SENT.length; at += 40_000) end.write(SENT.subarray(at, at + 40_000));
  end.close(false);
}

describe("a stream of udx", () => {
  it("hands every byte on in order, in plain arrays that stay as they are", async () => {
    const { near, far, close } = await connected();
    listen(near);
    const kinds = new Set<unknown>();
    const heard = listen(far, (bytes) => kinds.add(bytes.constructor));
    write(near);
    await heard.closed;
    expect(heard.count()).toBeGreaterThan(100);
    expect([...kinds]).toEqual([Uint8Array]);
    expect(Buffer.compare(heard.all(), SENT)).toBe(0);
    await close();
  });

  it("leaves a reader alone until there is what it waits for, or the end", async () => {
    const { near, far, close } = await connected();
    listen(near);
    const heard = listen(far, undefined, () => 1_000_000);
    write(near);
    await heard.closed;
    expect(heard.count()).toBeLessThan(SENT.length / 8_000);
    expect(Buffer.compare(heard.all(), SENT)).toBe(0);
    await close();
  });

  it("waits for not a byte more than its reader misses", async () => {
    const { near, far, close } = await connected();
    listen(near);
    const random = new SeededRandom(2);
    let missing = 0;
    const noticed = ({ length }: Uint8Array): void => {
      missing -= length;
    };
    listen(far, noticed, () => Math.max(missing, 1));
    for (let rounds = 0; rounds < 400; rounds++) {
      missing = 1 + random.below(rounds % 2 === 0 ? 4_000 : 40_000);
      near.write(SENT.slice(0, missing));
      await vi.waitFor(() => expect(missing).toBe(0), PATIENTLY);
    }
    await close();
  });

  it("keeps all that comes while nobody reads: nobody knows what is missing then", async () => {
    const { near, far, close } = await connected();
    listen(near);
    const heard = listen(far, undefined, () => 1_000_000);
    far.setReading(false);
    await new Promise<void>((acknowledged) => near.write(SENT.slice(0, 300_000), acknowledged));
    far.setReading(true);
    expect(heard.all()).toHaveLength(300_000);
    await close();
  });

  it("tells of every packet of a slow stream, whatever its reader waits for", async () => {
    const { near, far, close } = await connected();
    listen(near);
    const heard = listen(far, undefined, () => 1_000_000);
    for (let sent = 1; sent <= 10; sent++) {
      near.write(SENT.slice(0, 100));
      await vi.waitFor(() => expect(heard.all()).toHaveLength(sent * 100), PATIENTLY);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await close();
  });

  it("waits for little where packets come in pairs, and rarely", async () => {
    const { near, far, close } = await connected();
    listen(near);
    const heard = listen(far, undefined, () => 1_000_000);
    for (let sent = 1_200; sent <= 12_000; sent += 1_200) {
      near.write(SENT.slice(0, 600));
      await new Promise(setImmediate);
      near.write(SENT.slice(0, 600));
      await vi.waitFor(() => expect(heard.all().length).toBeGreaterThan(sent - 4_800), PATIENTLY);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await close();
  });

  it("keeps what comes before anybody listens", async () => {
    const { near, far, close } = await connected();
    listen(near);
    await new Promise<void>((acknowledged) => near.write(SENT.subarray(0, 300_000), acknowledged));
    near.close(false);
    const heard = listen(far);
    await heard.closed;
    expect(Buffer.compare(heard.all(), SENT.subarray(0, 300_000))).toBe(0);
    await close();
  });

  it("tells what it takes the path for, of which what may be unsent is made", async () => {
    const udx = new UDX();
    const [one, other] = [udx.createSocket(), udx.createSocket()];
    for (const socket of [one, other]) socket.bind(0, LOOPBACK.host);
    const [near, far] = [udx.createStream(1), udx.createStream(2)];
    near.connect(one, 2, other.address()?.port ?? 0, LOOPBACK.host);
    far.connect(other, 1, one.address()?.port ?? 0, LOOPBACK.host);
    far.resume();
    expect(near.bbrBandwidth).toBe(0);
    near.write(SENT);
    await near.flush();
    expect(near.bbrBandwidth).toBeGreaterThan(0);
    for (const stream of [near, far]) stream.destroy();
    await Promise.all([one.close(), other.close()]);
  });

  it("takes little memory while it carries little", async () => {
    const [one, other] = [await udxNetwork.bind(LOOPBACK), await udxNetwork.bind(LOOPBACK)];
    const before = process.memoryUsage().arrayBuffers;
    const heard: Promise<unknown>[] = [];
    for (let i = 1; i <= 100; i++) {
      const near = one.connect({ localId: i, remoteId: 1_000 + i, to: other.address });
      const far = other.connect({ localId: 1_000 + i, remoteId: i, to: one.address });
      listen(near);
      heard.push(new Promise((came) => listen(far, came)));
      near.write(SENT.subarray(0, 100));
    }
    await Promise.all(heard);
    const perEnd = (process.memoryUsage().arrayBuffers - before) / 200;
    expect(perEnd).toBeLessThan(16_384);
    await Promise.all([one.close(), other.close()]);
  });

  it("ends when more comes than is kept while nobody reads", async () => {
    const { near, far, close } = await connected();
    listen(near);
    for (let i = 0; i < 2; i++) {
      for (let at = 0; at < SENT.length; at += 40_000) near.write(SENT.subarray(at, at + 40_000));
    }
    const heard = new Promise<Error | undefined>((closed) => {
      far.start({
        receive: () => far.setReading(false),
        drained: () => {},
        closed,
      });
    });
    expect(await heard).toMatchObject({ code: "CULVERT_TOO_LARGE" });
    await close();
  });

  it("keeps what comes while it is not read, and the end", async () => {
    const { near, far, close } = await connected();
    listen(near);
    let isReading = true;
    let late = 0;
    const heard = listen(far, () => {
      if (!isReading) late += 1;
      if (heard.count() % 100 !== 0) return;
      far.setReading(false);
      isReading = false;
      setTimeout(() => {
        isReading = true;
        far.setReading(true);
      }, 1);
    });
    write(near);
    await heard.closed;
    expect(late).toBe(0);
    expect(Buffer.compare(heard.all(), SENT)).toBe(0);
    await close();
  });
});
