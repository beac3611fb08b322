import { type CulvertError, onAbort } from "../base/index.ts";
import { Stream } from "../stream/index.ts";
import type { Transport } from "../transport/index.ts";
import type { Context } from "./context.ts";
import { ProgressReporter, type ProgressSample } from "./progress.ts";
import type { Session } from "./session.ts";
import { pause, repeat } from "./timing.ts";

/** How often the record of a session says how far it is. */
const RECORD_EVERY_MS = 2_000;

/**
 * How long to wait for the other side to hear that we are done, in round trips, and the least and
 * the most: it may be offline by now.
 */
const GOODBYE = { roundTrips: 10, msMin: 3_000, msMax: 20_000 } as const;

/** What a stream runs with. */
export interface StreamRun {
  readonly transport: Transport;
  readonly session: Session;
  readonly secret: Uint8Array;
  readonly role: "listener" | "dialer";
  /** Bytes count as taken when the command says so, and not when they leave the stream. */
  readonly isManual: boolean;
  readonly peerTimeoutMs: number | undefined;
  /** What to tell of the stream's progress. */
  sample(stream: Stream): ProgressSample;
}

/**
 * Opens the stream of a session, or goes on with it, and has `work` done over it while progress is
 * told and recorded. When it settles, the state is durable and free for the next process.
 *
 * @throws Interrupted when the command was asked to stop
 */
export async function runStream(
  context: Context,
  run: StreamRun,
  work: (stream: Stream) => Promise<void>,
): Promise<void> {
  const { clock, output, stop } = context;
  const stream = await openStream(context, run);
  const closed = new Promise<void>((resolve) => stream.once("close", resolve));
  let halting: Promise<void> | undefined;
  const halt = async (): Promise<void> => {
    halting ??= stream.halt();
    await halting;
    await closed;
  };
  // Whoever waits for the stream then stops waiting; what halting says is heard below.
  const forget = onAbort(stop, () => void halt().catch(() => undefined));
  const reporter = new ProgressReporter({ output, clock, sample: () => run.sample(stream) });
  reporter.start();
  const record = async (): Promise<void> => {
    const { acknowledgedBytes } = stream.progress();
    if (acknowledgedBytes === run.session.record.acknowledgedBytes) return;
    await run.session.save({ acknowledgedBytes });
  };
  const cancel = repeat(clock, RECORD_EVERY_MS, () => void record().catch(() => undefined));
  try {
    await work(stream);
  } catch (error) {
    stop.throwIfAborted();
    throw error;
  } finally {
    forget();
    cancel();
    reporter.stop();
    await halt();
    await record();
  }
}

/**
 * Waits, for a while, until both sides know that the stream is over.
 *
 * @returns whether they do; if not, the journal is still needed should the other side come back
 */
export async function sayGoodbye({ clock }: Context, stream: Stream): Promise<boolean> {
  const closed = new Promise<void>((resolve) => stream.once("close", resolve));
  const { roundTrips, msMin, msMax } = GOODBYE;
  const { roundTripMs = 0 } = stream.progress();
  const patienceMs = Math.min(Math.max(roundTrips * roundTripMs, msMin), msMax);
  if (!stream.closed) await Promise.race([closed, pause(clock, patienceMs)]);
  return stream.closed;
}

async function openStream(context: Context, run: StreamRun): Promise<Stream> {
  const { session, secret, role, transport, peerTimeoutMs = 0 } = run;
  const stream = await Stream.open({
    transport,
    store: session.journals,
    secret,
    role,
    confirm: run.isManual ? "manual" : "auto",
    peerTimeoutMs,
    clock: context.clock,
  });
  // The work hears of errors from whatever it waits for; an event nobody hears would end all.
  stream.on("error", () => {});
  stream.on("warning", ({ code, message }: CulvertError) => context.output.warn(code, message));
  return stream;
}
