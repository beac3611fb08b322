import type { CryptoProvider } from "./provider.ts";

type WorkerThreads = typeof import("node:worker_threads");
type Worker = InstanceType<WorkerThreads["Worker"]>;

interface Job {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly done: (isGenuine: boolean) => void;
}

/** Fewer jobs than that are done sooner than they are handed over. */
const BATCH_MIN = 4;
/** Jobs handed over in one message: while the thread has a second one, it does not wait for us. */
const BATCH_MAX = 8;
/** Messages that keep the thread busy: one that it deals with, and the next. */
const BATCHES_BUSY = 2;
/** Jobs that are done here beside a busy thread, between two answers of it: a millisecond or so. */
const HELP_MAX = 16;

/** Before each message: its length (4, little-endian), public key (32), signature (64). */
const HEAD_BYTES = 100;

/**
 * What the thread runs: for a batch of jobs, one after the other, a byte for each, 1 if genuine. It
 * is text because a thread starts from JavaScript, and there may be no such file: in tests, and
 * where others have bundled this package.
 */
const PROGRAM = `
const { parentPort, workerData } = require("node:worker_threads");
const sodium = require(workerData);
parentPort.on("message", (batch) => {
  const view = new DataView(batch.buffer);
  const verdicts = [];
  for (let at = 0; at < batch.length; ) {
    const message = at + ${HEAD_BYTES};
    const end = message + view.getUint32(at, true);
    const isGenuine = sodium.crypto_sign_verify_detached(
      batch.subarray(at + 36, message),
      batch.subarray(message, end),
      batch.subarray(at + 4, at + 36),
    );
    verdicts.push(isGenuine ? 1 : 0);
    at = end;
  }
  parentPort.postMessage(Uint8Array.from(verdicts));
});
`;

/**
 * Verifies signatures on a thread of its own, which begins with the first turn of the event loop
 * that has enough of them. Some of what would have to wait there is verified on this one meanwhile,
 * and everything if the thread cannot begin, or ends. How much is under way is for the callers to
 * bound.
 */
export class VerifyThread {
  readonly #threads: WorkerThreads;
  readonly #sodiumPath: string;
  readonly #verifyHere: CryptoProvider["ed25519Verify"];
  /** What came in this turn. */
  #gathered: Job[] = [];
  /** What the thread has been handed and not answered, in its order. */
  readonly #batches: Job[][] = [];
  /** Jobs done here since the thread answered. */
  #helped = 0;
  #worker: Worker | undefined;
  #isOver = false;

  /** `sodiumPath` is the file of sodium-native; `verifyHere` does the same on this thread. */
  constructor(
    threads: WorkerThreads,
    sodiumPath: string,
    verifyHere: CryptoProvider["ed25519Verify"],
  ) {
    this.#threads = threads;
    this.#sodiumPath = sodiumPath;
    this.#verifyHere = verifyHere;
  }

  /** Arguments, of the right lengths, are borrowed until `done`: once, later, in any order. */
  verify(
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    done: (isGenuine: boolean) => void,
  ): void {
    if (this.#gathered.length === 0) queueMicrotask(() => this.#verifyGathered());
    this.#gathered.push({ publicKey, message, signature, done });
  }

  #verifyGathered(): void {
    const jobs = this.#gathered;
    this.#gathered = [];
    if (jobs.length < BATCH_MIN || this.#isOver) {
      this.#doHere(jobs);
      return;
    }
    const here: Job[] = [];
    for (let at = 0; at < jobs.length; at += BATCH_MAX) {
      const batch = jobs.slice(at, at + BATCH_MAX);
      const isBusy = this.#batches.length >= BATCHES_BUSY;
      if (isBusy && this.#helped + batch.length <= HELP_MAX) {
        here.push(...batch);
        this.#helped += batch.length;
      } else this.#handOver(batch);
    }
    this.#doHere(here);
  }

  #handOver(jobs: Job[]): void {
    this.#worker ??= this.#start();
    if (this.#worker === undefined) {
      this.#doHere(jobs);
      return;
    }
    // A process does not end while somebody waits.
    if (this.#batches.length === 0) this.#worker.ref();
    this.#batches.push(jobs);
    const batch = pack(jobs);
    this.#worker.postMessage(batch, [batch.buffer]);
  }

  #start(): Worker | undefined {
    try {
      return this.#listening();
    } catch {
      // No thread is left, or none may be made: what it would do is done here, and nobody is told.
      this.#isOver = true;
      return undefined;
    }
  }

  #listening(): Worker {
    // It sees nothing of the environment, and no loader of this process.
    const scope = { eval: true, workerData: this.#sodiumPath, env: {}, execArgv: [] };
    const worker = new this.#threads.Worker(PROGRAM, scope);
    worker.on("message", (verdicts: Uint8Array) => {
      const jobs = this.#batches.shift() ?? [];
      if (this.#batches.length === 0) worker.unref();
      this.#helped = 0;
      for (const [i, { done }] of jobs.entries()) done(verdicts[i] === 1);
    });
    // Told before its exit, which is what counts.
    worker.on("error", () => {});
    worker.on("exit", () => {
      this.#isOver = true;
      for (const jobs of this.#batches.splice(0)) this.#doHere(jobs);
    });
    return worker;
  }

  #doHere(jobs: readonly Job[]): void {
    for (const { publicKey, message, signature, done } of jobs) {
      done(this.#verifyHere(publicKey, message, signature));
    }
  }
}

function pack(jobs: readonly Job[]): Uint8Array<ArrayBuffer> {
  const bytes = jobs.reduce((sum, { message }) => sum + HEAD_BYTES + message.length, 0);
  const batch = new Uint8Array(bytes);
  const view = new DataView(batch.buffer);
  let at = 0;
  for (const { publicKey, message, signature } of jobs) {
    view.setUint32(at, message.length, true);
    batch.set(publicKey, at + 4);
    batch.set(signature, at + 36);
    batch.set(message, at + HEAD_BYTES);
    at += HEAD_BYTES + message.length;
  }
  return batch;
}
