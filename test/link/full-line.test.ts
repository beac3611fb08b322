import { describe, expect, it } from "vitest";
import { LINK_LIMITS, type LinkStream } from "../../src/link/index.ts";
import { LinkWorld } from "./link-world.ts";

const BYTES_PER_SECOND = 1_250_000;
const RTT_MS = 50;

/** A link whose one end lies behind a line of 10 Mbit/s, with a stream that fills it. */
async function filled(options: {
  readonly carrier: "udp" | "tcp";
  readonly loss?: number;
  readonly queueMs?: number;
}) {
  const { carrier, loss = 0, queueMs = 200 } = options;
  const world = new LinkWorld({ seed: 7, line: { delayMs: 1 } });
  const near = await world.add("192.0.2.1");
  const far = await world.add("192.0.2.2");
  near.vhost.line.profile = {
    ...near.vhost.line.profile,
    ...{ delayMs: RTT_MS / 2 - 1, loss, bytesPerSecond: BYTES_PER_SECOND },
    queueBytes: (BYTES_PER_SECOND * queueMs) / 1_000,
  };
  let arrived = 0;
  far.host.handle("sink", (stream) => {
    stream.on("error", () => {});
    stream.on("data", (bytes: Uint8Array) => {
      arrived += bytes.length;
    });
  });
  far.host.handle("echo", (stream) => stream.on("error", () => {}).pipe(stream));
  const link = await world.dial(near, far, carrier);
  const bulk = await world.run(link.openStream("sink", { priority: "bulk" }));
  const fill = (): void => {
    while (bulk.write(new Uint8Array(65_536)));
  };
  bulk.on("drain", fill);
  bulk.on("error", () => {});
  fill();
  await world.pass(4_000);
  const echo = await world.run(link.openStream("echo", { priority: "urgent" }));
  echo.on("error", () => {});
  return { world, echo, arrived: () => arrived };
}

/** The median of echoes beside that stream, and what it carries meanwhile, bytes a second. */
async function echoesBeside(options: Parameters<typeof filled>[0]) {
  const { world, echo, arrived } = await filled(options);
  const [since, before] = [world.clock.now(), arrived()];
  const times: number[] = [];
  for (let round = 0; round < 30; round++) {
    const from = world.clock.now();
    const back = new Promise<void>((resolve) => echo.once("data", () => resolve()));
    echo.write("x");
    await world.run(back);
    times.push(world.clock.now() - from);
    await world.pass(20);
  }
  const speed = ((arrived() - before) * 1_000) / (world.clock.now() - since);
  await world.close();
  const p50 = times.toSorted((a, b) => a - b)[times.length / 2] ?? Number.NaN;
  return { p50, ofLine: speed / BYTES_PER_SECOND };
}

describe("a line that one stream fills", () => {
  it("lets an echo through after its round trip and a short queue, and stays full", async () => {
    const { p50, ofLine } = await echoesBeside({ carrier: "udp" });
    expect(p50).toBeLessThan(RTT_MS + 40);
    expect(ofLine).toBeGreaterThan(0.9);
  });

  it("keeps an echo behind its whole queue where the carrier knows no round trips", async () => {
    // The canary: without the window the same line, the same connection, the same streams.
    const { p50 } = await echoesBeside({ carrier: "tcp" });
    expect(p50).toBeGreaterThan(RTT_MS + 100);
  });

  it("carries as much as without the window when packets get lost", async () => {
    const udp = await echoesBeside({ carrier: "udp", loss: 0.003 });
    const tcp = await echoesBeside({ carrier: "tcp", loss: 0.003 });
    expect(udp.ofLine).toBeGreaterThan(tcp.ofLine * 0.75); // other packets get lost
  });
});

describe("what a link hands to its path", () => {
  it("is never more than the path should hold, also when all comes within one event", async () => {
    // The reader takes nothing until the writer waits for credit; then credit comes for all of it.
    const world = new LinkWorld({ seed: 3, line: { delayMs: 20, bytesPerSecond: 1e6 } });
    let most = 0;
    const near = await world.add("192.0.2.1", {
      watch: (unsentBytes) => {
        most = Math.max(most, unsentBytes);
      },
    });
    const far = await world.add("192.0.2.2");
    let reader: LinkStream | undefined;
    far.host.handle("slow", (stream) => {
      reader = stream.on("error", () => {});
    });
    const link = await world.dial(near, far, "tcp");
    const stream = await world.run(link.openStream("slow"));
    stream.on("error", () => {});
    // Each piece is asked for when the one before is in records: all of them within that event.
    let left = 120;
    const fill = (): void => {
      while (left-- > 0 && stream.write(new Uint8Array(50_000)));
    };
    stream.on("drain", fill);
    fill();
    for (let round = 0; round < 12; round++) {
      await world.pass(3_000);
      for (let taken = reader?.read(); taken != null; taken = reader?.read());
    }
    await world.pass(10_000);
    expect(reader?.bytesRead).toBe(6e6);
    expect(most).toBeGreaterThan(LINK_LIMITS.pathBytesMax / 2);
    expect(most).toBeLessThan(LINK_LIMITS.pathBytesMax + 2 * 32_768);
    await world.close();
  });
});
