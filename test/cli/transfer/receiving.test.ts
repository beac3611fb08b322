import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CulvertError, concatBytes, SeededRandom } from "../../../src/base/index.ts";
import type { Checkpoint } from "../../../src/cli/session/session-record.ts";
import { encodeHeader } from "../../../src/cli/transfer/manifest.ts";
import { Receiving } from "../../../src/cli/transfer/receiving.ts";
import { writeTransfer } from "../../../src/cli/transfer/sending.ts";
import { scanSource } from "../../../src/cli/transfer/source.ts";
import { Staging } from "../../../src/cli/transfer/staging.ts";
import { syncedIn, tellsPaths } from "../../io/synced-paths.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "culvert-receiving-"));
  await mkdir(join(root, "from/sub"), { recursive: true });
  await mkdir(join(root, "to"));
  await writeFile(join(root, "from/big"), new SeededRandom(1).bytes(50_000));
  await writeFile(join(root, "from/empty"), "");
  await writeFile(join(root, "from/sub/small"), "small");
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** A stream that accepts bytes into memory, as if `writeOffset` had been accepted before. */
class Accepting extends Writable {
  readonly writeOffset: number;
  readonly #accepted: Uint8Array[] = [];

  constructor(writeOffset: number) {
    super();
    this.writeOffset = writeOffset;
  }

  get bytes(): Uint8Array {
    return concatBytes(...this.#accepted);
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.#accepted.push(new Uint8Array(chunk));
    done();
  }
}

/** A stream that delivers `whole` from `readOffset` on in random pieces, and dies at `dieAt`. */
class Delivering extends Readable {
  readonly readOffset: number;
  confirmed: number;
  readonly #whole: Uint8Array;
  readonly #random: SeededRandom;
  readonly #dieAt: number;
  #at: number;

  /** @param options `aheadMax`: so much is delivered before it is read, and lost when it dies */
  constructor(
    whole: Uint8Array,
    options: { from: number; seed: number; dieAt: number; aheadMax?: number },
  ) {
    super({ highWaterMark: options.aheadMax ?? 16_384 });
    this.readOffset = options.from;
    this.confirmed = options.from;
    this.#at = options.from;
    this.#whole = whole;
    this.#random = new SeededRandom(options.seed);
    this.#dieAt = options.dieAt;
  }

  confirm(offset: number): void {
    expect(offset).toBeGreaterThan(this.confirmed);
    this.confirmed = offset;
    this.emit("confirmed");
  }

  override _read(): void {
    const end = Math.min(this.#at + 1 + this.#random.below(4000), this.#dieAt, this.#whole.length);
    if (this.#at === this.#whole.length) this.push(null);
    else if (this.#at === this.#dieAt) this.destroy(new Error("killed"));
    else this.push(this.#whole.slice(this.#at, end));
    this.#at = end;
  }
}

async function sent(writeOffset = 0, checkpoint?: Checkpoint): Promise<Uint8Array> {
  const source = await scanSource([join(root, "from")]);
  const stream = new Accepting(writeOffset);
  const header = encodeHeader(source.manifest);
  const { signal } = new AbortController();
  const saveCheckpoint = async (): Promise<void> => {};
  await writeTransfer({ stream, source, header, checkpoint, saveCheckpoint, signal });
  return stream.bytes;
}

function receivingOf(stream: Delivering): Receiving {
  return new Receiving({
    stream,
    headerPath: join(root, "header"),
    prepare: async (manifest) => {
      const staging = new Staging({ target: join(root, "to"), id: "x", manifest, umask: 0o22 });
      await staging.begin();
      return staging;
    },
    complete: (staging) => staging.place({ overwrite: false }),
  });
}

async function expectReceived(): Promise<void> {
  const to = await readdir(join(root, "to"), { recursive: true });
  expect(to.sort()).toEqual(["from", "from/big", "from/empty", "from/sub", "from/sub/small"]);
  for (const name of ["big", "empty", "sub/small"]) {
    const [a, b] = [join(root, "from", name), join(root, "to/from", name)];
    expect(await readFile(b)).toEqual(await readFile(a));
  }
}

describe("a transfer that is sent", () => {
  test("ends with its stream, also when that failed while a file was read", async () => {
    const source = await scanSource([join(root, "from")]);
    const stream = new Accepting(0);
    const closed = new Promise<void>((resolve) => stream.once("close", resolve));
    stream.on("error", () => {});
    stream.destroy(new CulvertError("CULVERT_PEER_ABORTED"));
    await closed;
    const header = encodeHeader(source.manifest);
    const { signal } = new AbortController();
    const rest = { checkpoint: undefined, saveCheckpoint: async () => {}, signal };
    const written = writeTransfer({ stream, source, header, ...rest });
    await expect(written).rejects.toMatchObject({ code: "CULVERT_PEER_ABORTED" });
  });
});

describe("a transfer from end to end", () => {
  test("arrives", async () => {
    const whole = await sent();
    const stream = new Delivering(whole, { from: 0, seed: 1, dieAt: Number.POSITIVE_INFINITY });
    await receivingOf(stream).run();
    await expectReceived();
    expect(stream.confirmed).toBe(whole.length);
  });

  test("arrives although its receiver is killed again and again, at any byte", async () => {
    const whole = await sent();
    for (let seed = 0; seed < 5; seed++) {
      const random = new SeededRandom(seed);
      let from = 0;
      for (let isDone = false; !isDone; ) {
        const dieAt = from + random.below(20_000);
        const stream = new Delivering(whole, { from, seed: random.uint32(), dieAt });
        isDone = await receivingOf(stream)
          .run()
          .then(
            () => true,
            () => false,
          );
        // What was confirmed is known to the stream, and perhaps a little less of it.
        from = isDone ? from : Math.max(from, stream.confirmed - random.below(3) * 1000);
      }
      await expectReceived();
      await rm(join(root, "to/from"), { recursive: true });
      await rm(join(root, "header"));
    }
  });

  test.runIf(tellsPaths)(
    "confirms nothing that lies under names which are not durable",
    async () => {
      const whole = await sent();
      /** What was synced before the first bytes were confirmed, and before the last but few. */
      const before: string[][] = [];
      await syncedIn(async (soFar) => {
        const stream = new Delivering(whole, { from: 0, seed: 1, dieAt: whole.length - 10 });
        stream.on("confirmed", () => before.push([...soFar]));
        await expect(receivingOf(stream).run()).rejects.toThrow("killed");
      });
      // The header lies in `root`, unfinished files in a folder of `to`.
      expect(before[0]).toEqual(expect.arrayContaining([join(root, "header"), root]));
      const unfinished = (await readdir(join(root, "to"))).map((name) => join(root, "to", name));
      expect(unfinished).toHaveLength(1);
      expect(before.at(-1)).toEqual(expect.arrayContaining([join(root, "to"), ...unfinished]));
    },
  );

  test("arrives although its receiver is killed within its last bytes", async () => {
    const whole = await sent();
    for (const left of [33, 32, 31, 1]) {
      const dieAt = whole.length - left;
      const killed = new Delivering(whole, { from: 0, seed: left, dieAt, aheadMax: 1 });
      await expect(receivingOf(killed).run()).rejects.toThrow("killed");
      const { confirmed } = killed;
      expect(confirmed).toBe(Math.min(dieAt, whole.length - 32));
      const never = Number.POSITIVE_INFINITY;
      const later = new Delivering(whole, { from: confirmed, seed: left, dieAt: never });
      await receivingOf(later).run();
      await expectReceived();
      await rm(join(root, "to/from"), { recursive: true });
      await rm(join(root, "header"));
    }
  });

  test("whose last bytes are nowhere any more is told so", async () => {
    const whole = await sent();
    const never = Number.POSITIVE_INFINITY;
    const killed = new Delivering(whole, { from: 0, seed: 1, dieAt: whole.length - 5 });
    await expect(receivingOf(killed).run()).rejects.toThrow("killed");
    const later = new Delivering(whole, { from: whole.length - 5, seed: 1, dieAt: never });
    await expect(receivingOf(later).run()).rejects.toMatchObject({ code: "CULVERT_BAD_STATE" });
  });

  test("is written from where the sender's stream has accepted it", async () => {
    const whole = await sent();
    for (const writeOffset of [1, 50, 30_000, whole.length - 1, whole.length]) {
      expect(await sent(writeOffset)).toEqual(whole.subarray(writeOffset));
    }
  });

  test("is not gone on with when the first bytes are no longer what they were", async () => {
    const wrong = { length: 40_000, digest: new Uint8Array(32) };
    await expect(sent(30_000, wrong)).rejects.toThrow("has changed");
  });

  test("that was changed on its way is not put in place", async () => {
    const whole = await sent();
    const at = whole.length - 100;
    const changed = whole.with(at, (whole[at] ?? 0) ^ 1);
    const stream = new Delivering(changed, { from: 0, seed: 1, dieAt: Number.POSITIVE_INFINITY });
    await expect(receivingOf(stream).run()).rejects.toMatchObject({ code: "CULVERT_INTEGRITY" });
    expect(await readdir(join(root, "to"))).toEqual([".culvert-x"]);
    expect(stream.confirmed).toBeLessThan(whole.length);
  });

  test("that ends early is refused, and what was kept must still be there", async () => {
    const whole = await sent();
    const never = Number.POSITIVE_INFINITY;
    const short = new Delivering(whole.subarray(0, 9000), { from: 0, seed: 1, dieAt: never });
    await expect(receivingOf(short).run()).rejects.toThrow("ended before");
    await rm(join(root, "header"));
    const later = new Delivering(whole, { from: 9000, seed: 1, dieAt: never });
    await expect(receivingOf(later).run()).rejects.toMatchObject({ code: "CULVERT_BAD_STATE" });
  });
});
