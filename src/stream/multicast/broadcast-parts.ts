import {
  type Clock,
  type Journal,
  type JournalStore,
  type Random,
  requireMethods,
} from "../../base/index.ts";
import { Chain, WriteCapability } from "../../crypto/index.ts";
import { systemClock } from "../../io/clock.ts";
import { systemRandom } from "../../io/random.ts";
import type { Transport } from "../../transport/index.ts";
import type { SessionParts } from "../duplex/core-session.ts";
import { requireGeometry, requireSameGeometry } from "../frame/geometry.ts";
import { requireOpenable } from "../openable.ts";
import { fromJournal, type Journalling, NO_JOURNAL } from "../saved/journalling.ts";
import { loadedJournal, type NeededFrames, sweep, waitingIn } from "../saved/saved-frames.ts";
import { streamIdOf, writeSeedOf } from "../secret.ts";
import { BroadcastCore } from "./broadcast-core.ts";
import {
  type BroadcastState,
  decodeBroadcastState,
  encodeBroadcastState,
  type RepairPosition,
  type WholeBroadcast,
} from "./broadcast-state.ts";
import { generateCapability, parseWriteCapability } from "./capability-text.ts";
import { BROADCAST_DEFAULTS, type BroadcastOptions, resolveBroadcastOptions } from "./options.ts";

/** How a `Broadcast` is opened; protocol options have the defaults of `BROADCAST_DEFAULTS`. */
export interface BroadcastOpenOptions extends Partial<Omit<BroadcastOptions, "durable">> {
  /** False: nothing happens until `start` is called, or `destroy`, which tells the readers. */
  readonly autoStart?: boolean;
  /** As for any Writable: bytes that Node itself buffers, beside what the protocol holds. */
  readonly writableHighWaterMark?: number;
  /** Aborted, it gives the broadcast up as `destroy` does, with an error named `AbortError`. */
  readonly signal?: AbortSignal | undefined;
  /** The machine's own time, unless a test brings another one. */
  readonly clock?: Clock;
}

/** What `Broadcast.open` needs: a broadcast that survives the process. */
export interface BroadcastStoreOptions extends BroadcastOpenOptions {
  /** The way to the Map; borrowed, and the owner's to close when the broadcast is closed. */
  readonly transport: Transport;
  /** Where the state lives: `LevelJournalStore` of `culvert/journal`, or one of your own. */
  readonly store: JournalStore;
  /** The right to write, from `generateCapability`; secret. */
  readonly capability: WriteCapability | Uint8Array;
}

/** Everything that a `Broadcast` is put together from. */
export interface BroadcastParts extends SessionParts<BroadcastCore> {
  readonly root: Uint8Array;
  /** Seed of the root, 32 bytes. Secret; the chain is the core's alone, which moves on. */
  readonly writeSeed: Uint8Array;
  readonly random: Random;
  readonly options: BroadcastOptions;
  readonly readers: ReadonlyMap<string, RepairPosition>;
  /** Bytes that earlier sessions have written, and whether they have ended or given up. */
  readonly writeOffset: number;
  readonly isEnded: boolean;
  readonly isAborted: boolean;
}

/** A broadcast that begins, and ends with this process. */
export function newBroadcast(
  transport: Transport,
  options: BroadcastOpenOptions & { readonly capability?: WriteCapability | Uint8Array },
): BroadcastParts {
  requireOpenable(transport, options);
  const write = parseWriteCapability(options.capability ?? generateCapability());
  return beginning({ transport, write, options }, NO_JOURNAL);
}

/** A broadcast that goes on from its journal, or begins with it. */
export function broadcastFromStore(
  transport: Transport,
  write: WriteCapability,
  options: BroadcastOpenOptions & { readonly store: JournalStore },
): Promise<BroadcastParts> {
  requireOpenable(transport, options);
  requireMethods("store", options.store, "open");
  const open = (): Promise<Journal> => options.store.open(streamIdOf(write.root));
  return fromJournal(open, async (journalling, head) => {
    if (head === undefined) return beginning({ transport, write, options }, journalling);
    const state = decodeBroadcastState(head);
    const needed = neededBy(state);
    await sweep(journalling.journal, head, needed);
    const waiting = await waitingIn(journalling.journal, needed);
    return continuation({ transport, state, waiting, options }, journalling);
  });
}

/**
 * A broadcast that goes on from a whole saved state, with a journal in memory: it keeps as many
 * frames as one that has none, or as there are.
 */
export async function broadcastFromState(
  transport: Transport,
  { state, frames }: WholeBroadcast,
  options: BroadcastOpenOptions,
): Promise<BroadcastParts> {
  requireOpenable(transport, options);
  const { base, next } = state;
  const needed = neededBy(state);
  const kept = await loadedJournal(encodeBroadcastState(state), frames, needed);
  const waiting = await waitingIn(kept.journal, needed);
  const { retainFrames = Math.max(BROADCAST_DEFAULTS.retainFrames, next - base) } = options;
  return continuation({ transport, state, waiting, options: { ...options, retainFrames } }, kept);
}

function neededBy(state: BroadcastState): NeededFrames {
  return { ...state, ...state.framer, acks: [] };
}

/** The transport with the authority to write one root. */
export function bindForWriting(transport: Transport, writeSeed: Uint8Array): Transport {
  return transport.bind?.({ writeSeed }) ?? transport;
}

interface Context {
  readonly transport: Transport;
  readonly options: BroadcastOpenOptions;
}

function beginning(
  { transport, write, options: given }: Context & { readonly write: WriteCapability },
  journalling: Journalling,
): BroadcastParts {
  const cellBytes = requireGeometry(transport.payloadSize);
  const durable = journalling.journal !== undefined;
  const options = resolveBroadcastOptions({ ...given, durable });
  const core = new BroadcastCore({ write, cellBytes, random: systemRandom, options });
  return {
    ...partsOf(write, { transport, options: given }),
    ...journalling,
    core,
    options,
    readers: new Map(),
    writeOffset: 0,
    isEnded: false,
    isAborted: false,
  };
}

function continuation(
  {
    transport,
    state,
    waiting,
    options: given,
  }: Context & { readonly state: BroadcastState; readonly waiting: Uint8Array },
  journalling: Journalling,
): BroadcastParts {
  const { cellBytes, framer } = state;
  requireSameGeometry(cellBytes, transport);
  const write = WriteCapability.of(state.writeSeed, Chain.fromBytes(state.chain));
  const options = resolveBroadcastOptions({ ...given, durable: true });
  const readers = new Map(state.readers.map((position) => [streamIdOf(position.root), position]));
  const core = new BroadcastCore({
    write,
    cellBytes,
    random: systemRandom,
    options,
    state,
    waiting,
    readers,
  });
  return {
    ...partsOf(write, { transport, options: given }),
    ...journalling,
    core,
    options,
    readers,
    writeOffset: framer.framedBytes + framer.waitingBytes,
    isEnded: framer.endAsked,
    isAborted: state.resetIndex !== undefined || (state.isDone && !framer.isEndFramed),
  };
}

function partsOf(
  write: WriteCapability,
  { transport, options }: Context,
): Pick<BroadcastParts, "transport" | "root" | "writeSeed" | "random" | "clock"> {
  const { root } = write;
  const writeSeed = writeSeedOf(write);
  const bound = bindForWriting(transport, writeSeed);
  const clock = options.clock ?? systemClock;
  return { transport: bound, root, writeSeed, random: systemRandom, clock };
}
