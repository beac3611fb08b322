import { createRequire } from "node:module";
import * as threads from "node:worker_threads";
import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it, vi } from "vitest";
import { utf8 } from "../../src/base/index.ts";
import { nobleProvider } from "../../src/crypto/noble.ts";
import { VerifyThread } from "../../src/crypto/verify-thread.ts";

const sodiumPath = createRequire(import.meta.url).resolve("sodium-native");
const secret = new Uint8Array(32).fill(7);
const publicKey = ed25519.getPublicKey(secret);

/** Every third one is forged; no two messages have the same length. */
const signed = Array.from({ length: 40 }, (_, i) => {
  const message = utf8("m".repeat(i));
  const signature = ed25519.sign(message, secret);
  const isGenuine = i % 3 !== 0;
  return { message, signature: isGenuine ? signature : signature.with(3, 1), isGenuine };
});

/** Verifies the first `count` in one turn, and returns what was said of each. */
async function verdictsOf(thread: VerifyThread, count: number): Promise<boolean[]> {
  const verdicts = signed.slice(0, count).map(({ message, signature }) => {
    return new Promise<boolean>((done) => {
      thread.verify(publicKey, message, signature, done);
    });
  });
  return await Promise.all(verdicts);
}

const expected = (count: number) => signed.slice(0, count).map(({ isGenuine }) => isGenuine);

class NoWorker extends threads.Worker {
  constructor() {
    throw new Error("no thread is left");
    // biome-ignore lint/correctness/noUnreachable: a constructor of this kind has to have it
    super("");
  }
}

describe("the thread that verifies", () => {
  it.each([1, 3, 4, 9, 24, 40])("tells which of %d in one turn are genuine", async (count) => {
    let here = 0;
    const thread = new VerifyThread(threads, sodiumPath, (...job) => {
      here += 1;
      return nobleProvider.ed25519Verify(...job);
    });
    expect(await verdictsOf(thread, count)).toEqual(expected(count));
    expect(await verdictsOf(thread, count)).toEqual(expected(count));
    // Few are not worth a message; beside two full ones for the thread, so many are done here.
    const isFew = count < 4;
    expect(here).toBe(2 * (isFew ? count : Math.min(Math.max(count - 16, 0), 16)));
  });

  it("answers each once", async () => {
    const thread = new VerifyThread(threads, sodiumPath, nobleProvider.ed25519Verify);
    const answers = signed.map(() => 0);
    for (const [i, { message, signature }] of signed.entries()) {
      thread.verify(publicKey, message, signature, () => {
        answers[i] = (answers[i] ?? 0) + 1;
      });
    }
    await vi.waitFor(() => expect(answers).not.toContain(0), { timeout: 30_000 });
    await verdictsOf(thread, 16); // what comes twice has come by then
    expect(answers).toEqual(signed.map(() => 1));
  });

  it.each([
    ["ends", threads, "/nowhere"],
    ["may not begin", { ...threads, Worker: NoWorker }, sodiumPath],
  ])("verifies here when the thread %s", async (_how, module, path) => {
    const thread = new VerifyThread(module, path, nobleProvider.ed25519Verify);
    expect(await verdictsOf(thread, 40)).toEqual(expected(40));
    expect(await verdictsOf(thread, 5)).toEqual(expected(5));
  });
});
