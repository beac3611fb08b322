import type { EventEmitter } from "node:events";
import { type CulvertError, isCulvertError, onAbort, pause, repeat } from "../../base/index.ts";
import { Stream } from "../../stream/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { Context } from "../context.ts";
import { withWayOn } from "../failure.ts";
import { doneBytes, ProgressReporter, type ProgressSample } from "../terminal/progress.ts";
import type { Session } from "./session.ts";

/** How often the record of a session says how far it is. */
const RECORD_EVERY_MS = 2_000;

/**
 * How long to wait for the other side to hear that we are done, in round trips, and the least and
 * the most: it may be offline by now.
 */
const GOODBYE = { roundTrips: 10, msMin: 3_000, msMax: 20_000 } as const;

/**
 * How long to try to leave our last word in the Map, if the other side waits for it, and when to
 * say that it takes long.
 */
const LAST_WORD = { msMax: 600_000, noteMs: 5_000, lookEveryMs: 100 } as const;

/** When whoever has pressed Ctrl-C is told what is still waited for. */
const FAREWELL_NOTE_MS = 1_000;

type Surroundings = Pick<Context, "clock" | "output" | "stop">;

/** A stream, a broadcast or a subscription: what can be stopped, and gone on with. */
export interface Resumable extends EventEmitter {
  start(): unknown;
  halt(): Promise<void>;
}

/** What runs. */
export interface StreamRun<S extends Resumable> {
  readonly session: Session;
  open(): Promise<S>;
  /** Says what comes before all progress, now that no other process has the session. */
  introduce?(stream: S): Promise<void>;
  /** What to tell of its progress. */
  sample(stream: S): ProgressSample;
  /** What the other side is to hear when this is stopped: the stream is halted when it settles. */
  farewell?(stream: S): Promise<void>;
  /** What has to be typed to go on, where the rule does not know it. */
  readonly wayOn?: string | undefined;
}

/**
 * Opens the stream of a session, or goes on with it, and has `work` done over it while progress is
 * told and recorded. When it settles, the state is durable and free for the next process.
 *
 * @throws Interrupted when the command was asked to stop
 */
export async function runStream<S extends Resumable>(
  { clock, output, stop }: Surroundings,
  run: StreamRun<S>,
  work: (stream: S) => Promise<void>,
): Promise<void> {
  const stream = await run.open();
  const closed = new Promise<void>((resolve) => stream.once("close", resolve));
  // The work hears of errors from whatever it waits for; an event nobody hears would end all.
  stream.on("error", () => {});
  stream.on("warning", ({ code, message }: CulvertError) => output.warn(code, message));
  let halting: Promise<void> | undefined;
  const halt = async (): Promise<void> => {
    halting ??= stream.halt();
    await halting;
    await closed;
  };
  const part = async (): Promise<void> => {
    await run.farewell?.(stream).catch(() => undefined);
    await halt();
  };
  // Whoever waits for the stream then stops waiting; what halting says is heard below.
  const forget = onAbort(stop, () => void part().catch(() => undefined));
  const sample = (): ProgressSample => run.sample(stream);
  const reporter = new ProgressReporter({ output, clock, sample });
  const record = async (): Promise<void> => {
    const bytes = doneBytes(sample());
    if (bytes !== run.session.record.doneBytes) await run.session.save({ doneBytes: bytes });
  };
  const cancel = repeat(clock, RECORD_EVERY_MS, () => void record().catch(() => undefined));
  const leave = async (): Promise<void> => {
    forget();
    cancel();
    reporter.stop();
    await halt();
    // It is for `status` alone, and hides nothing: not why this ends, nor that it was stopped.
    await record().catch(() => undefined);
  };
  try {
    await run.introduce?.(stream);
    stream.start(); // before that it does not know what is in the Map
    reporter.start();
    await work(stream);
  } catch (error) {
    const isStopped = stop.aborted;
    await leave();
    // Another one has had the ticket: there is nothing that this end could go on with.
    if (isCulvertError(error, "CULVERT_SECRET_USED")) await run.session.forget();
    const way = run.wayOn ?? wayOn(run.session);
    if (!isStopped) throw way === undefined ? error : withWayOn(error, way);
    const { id } = run.session;
    output.tell("interrupted", { id }, `stopped; ${way ?? "the same command"} goes on from here`);
    stop.throwIfAborted();
  }
  await leave();
}

/**
 * What has to be typed where it is not the same command: the side that made a ticket has none to
 * name its work by.
 */
function wayOn({ id, record }: Session): string | undefined {
  const isNamedById = record.secret !== undefined && record.command !== "send";
  return isNamedById ? `culvert ${record.command} --resume ${id}` : undefined;
}

/** What a stream between two peers is opened with. */
export interface PeerStreamOptions {
  readonly transport: Transport;
  readonly session: Session;
  readonly secret: Uint8Array;
  readonly role: "listener" | "dialer";
  /** Bytes count as taken when the command says so, and not when they leave the stream. */
  readonly isManual: boolean;
  readonly peerTimeoutMs: number | undefined;
}

/** Opens one end of a stream between two peers. */
export async function openPeerStream(options: PeerStreamOptions): Promise<Stream> {
  const { session, isManual, peerTimeoutMs = 0, ...rest } = options;
  const confirm = isManual ? "manual" : "auto";
  return await Stream.open({ ...rest, store: session.journals, confirm, peerTimeoutMs });
}

/**
 * What the other side knows when we leave: `over`, that both are done; `told`, nothing yet, but our
 * last word waits for it in the Map; `untold`, nothing before we come back.
 */
export type Goodbye = "over" | "told" | "untold";

/**
 * Waits until our last word is in the Map, since a peer that never finds it would wait for ever,
 * and then for a while until the peer has answered it. Unless it is `over`, the journal is still
 * needed should the other side come back. With `isPeerDone` the peer waits for nothing more: a Map
 * that has gone holds nobody up for long.
 *
 * @throws CulvertError of the stream, if it failed after all: another one may have had the ticket
 */
export async function sayGoodbye(
  context: Surroundings,
  stream: Stream,
  { isPeerDone = false }: { readonly isPeerDone?: boolean } = {},
): Promise<Goodbye> {
  await leaveLastWord(context, stream, isPeerDone ? GOODBYE.msMax : LAST_WORD.msMax);
  const { roundTripMs = 0, isAllTold } = stream.progress();
  if (isAllTold && !stream.closed) {
    const closed = new Promise<void>((resolve) => stream.once("close", resolve));
    await Promise.race([closed, pause(context.clock, patienceMs(roundTripMs))]);
  }
  const { errored } = stream;
  // All is done, and was said: that nobody is there to hear it is no failure.
  const isUnheard = isCulvertError(errored, "CULVERT_PEER_TIMEOUT");
  if (errored !== null && !isUnheard) throw errored;
  if (stream.closed && !isUnheard && !context.stop.aborted) return "over";
  return isAllTold ? "told" : "untold";
}

/**
 * Gives the stream up, and waits for a while until that, and why, is in the Map for the peer.
 *
 * @returns whether it is
 */
export async function giveUp(
  context: Surroundings,
  stream: Stream,
  code: number,
): Promise<boolean> {
  stream.reset(code);
  return await leaveWord(context, stream);
}

/** Waits for a while until all that was said is in the Map; true when it is. */
export async function leaveWord(
  { clock, stop }: Pick<Surroundings, "clock" | "stop">,
  stream: Stream,
): Promise<boolean> {
  const until = clock.now() + GOODBYE.msMax;
  const mayBeTold = (): boolean => stream.errored === null && clock.now() < until && !stop.aborted;
  while (!stream.progress().isAllTold && mayBeTold()) await pause(clock, LAST_WORD.lookEveryMs);
  return stream.progress().isAllTold;
}

/**
 * Waits for a while until all that was written is in the Map, by who was asked to stop.
 *
 * @returns whether it is
 */
export async function leaveFarewell(
  { clock, output }: Pick<Surroundings, "clock" | "output">,
  stream: Stream,
): Promise<boolean> {
  const begunAt = clock.now();
  const isStored = (): boolean => stream.writableLength === 0 && stream.progress().isAllStored;
  const until = begunAt + patienceMs(stream.progress().roundTripMs);
  let isNoted = false;
  while (!isStored() && !stream.closed && clock.now() < until) {
    if (clock.now() >= begunAt + FAREWELL_NOTE_MS && !isNoted) {
      isNoted = true;
      output.note("telling the other side; Ctrl-C once more leaves at once");
    }
    await pause(clock, LAST_WORD.lookEveryMs);
  }
  return isStored();
}

/** How long the other side, or the Map, is waited for by who has nothing else to do. */
function patienceMs(roundTripMs = 0): number {
  const { roundTrips, msMin, msMax } = GOODBYE;
  return Math.min(Math.max(roundTrips * roundTripMs, msMin), msMax);
}

async function leaveLastWord(
  { clock, output }: Surroundings,
  stream: Stream,
  msMax: number,
): Promise<void> {
  const begunAt = clock.now();
  let isNoted = false;
  while (!stream.closed && !stream.progress().isAllTold) {
    const waitedMs = clock.now() - begunAt;
    if (waitedMs >= msMax) return;
    if (waitedMs >= LAST_WORD.noteMs && !isNoted) {
      isNoted = true;
      output.note("all is done here, and the other side is still to be told");
    }
    await pause(clock, LAST_WORD.lookEveryMs);
  }
}
