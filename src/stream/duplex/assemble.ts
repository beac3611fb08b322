import {
  type Clock,
  CulvertError,
  equalBytes,
  type Journal,
  type JournalStore,
  type Random,
  requireMethods,
} from "../../base/index.ts";
import {
  type AddressesOf,
  Chain,
  deriveDirection,
  ReadCapability,
  type StreamRole,
  WriteCapability,
} from "../../crypto/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { StreamCoreInit } from "../core/core-parts.ts";
import { StreamCore } from "../core/stream-core.ts";
import { withRoom } from "../exchange/chain-room.ts";
import { requireGeometry, requireSameGeometry } from "../frame/geometry.ts";
import {
  DEFAULTS,
  resolveOptions,
  type StreamOptions,
  UNACKNOWLEDGED_FRAMES_CEILING,
} from "../options.ts";
import { fromJournal, type Journalling, NO_JOURNAL } from "../saved/journalling.ts";
import {
  begunIn,
  loadedJournal,
  type NeededFrames,
  sweep,
  waitingIn,
} from "../saved/saved-frames.ts";
import { decodeState, encodeState, type WholeState } from "../saved/state-codec.ts";
import { parseSecret, streamIdOf, writeSeedOf } from "../secret.ts";
import type { StreamState } from "../state.ts";
import type { SessionParts } from "./core-session.ts";

/** What one side of a stream holds: the right to write one direction and to read the other. */
export interface StreamCapabilities {
  readonly write: WriteCapability;
  readonly read: ReadCapability;
}

/** What stays of a stream's keys. The chains are the core's alone, which wipes what is passed. */
export interface StreamRoots {
  /** Public keys of the two directions. */
  readonly own: Uint8Array;
  readonly peer: Uint8Array;
  /** Gives the addresses of the peer's frames. */
  readonly addressesOf: AddressesOf;
  /** Seed of our own, 32 bytes. Secret. */
  readonly writeSeed: Uint8Array;
}

/** Everything that a `Stream` is put together from. */
export interface StreamParts extends SessionParts<StreamCore> {
  readonly roots: StreamRoots;
  readonly past: StreamPast;
}

/** What earlier sessions of a stream have done. */
export interface StreamPast {
  /** Bytes of the peer that they have used. */
  readonly readOffset: number;
  /** Those behind them that they have read, and could not use yet. */
  readonly begun: readonly Uint8Array[];
  /** Bytes that they have written. */
  readonly writeOffset: number;
  /** They have taken the peer's end. */
  readonly isReadEnded: boolean;
  /** They have ended our side. */
  readonly isWriteEnded: boolean;
  /** They gave the stream up, and what they tell the peer with it. */
  readonly isAborted: boolean;
  readonly resetCode?: number | undefined;
  /** Nothing is left to be done. */
  readonly isDone: boolean;
}

const NO_PAST: StreamPast = Object.freeze({
  readOffset: 0,
  begun: [],
  writeOffset: 0,
  isReadEnded: false,
  isWriteEnded: false,
  isAborted: false,
  isDone: false,
});

/** The capabilities that `role` derives from a secret. */
export function capabilitiesOf(secret: Uint8Array | string, role: StreamRole): StreamCapabilities {
  if (role !== "listener" && role !== "dialer") {
    throw new TypeError('role must be "listener" or "dialer"');
  }
  const bytes = parseSecret(secret);
  const own = deriveDirection(bytes, role);
  const other = deriveDirection(bytes, role === "listener" ? "dialer" : "listener");
  return {
    write: WriteCapability.of(own.seed, own.chain),
    read: WriteCapability.of(other.seed, other.chain).readCapability(),
  };
}

/**
 * What two peers have given each other, if a stream can have it. A peer that hands back what it was
 * given would have us read our own words as its.
 *
 * @throws CulvertError `CULVERT_BAD_CAPABILITY`
 */
export function exchanged(given: StreamCapabilities): StreamCapabilities {
  const { write, read }: Partial<StreamCapabilities> = Object(given);
  if (!(write instanceof WriteCapability && read instanceof ReadCapability)) {
    const missing = "a WriteCapability to write with, and a ReadCapability to read, are wanted";
    throw new CulvertError("CULVERT_BAD_CAPABILITY", missing);
  }
  if (equalBytes(write.root, read.root)) {
    throw new CulvertError("CULVERT_BAD_CAPABILITY", "what is to be read is what we write", {
      detail: { field: "root" },
    });
  }
  return { write: withRoom(write), read: withRoom(read) };
}

/** Where a stream's parts come from besides its keys. */
export interface AssemblyContext {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly options: Partial<StreamOptions>;
}

/**
 * A stream that begins.
 *
 * @throws CulvertError `CULVERT_GEOMETRY_CHANGED` when the transport's cells cannot carry frames
 */
export function assembleNew(keys: StreamCapabilities, context: AssemblyContext): StreamParts {
  return beginning(keys, context, NO_JOURNAL);
}

/**
 * A stream that goes on from its journal, or begins with it.
 *
 * @throws CulvertError `CULVERT_GEOMETRY_CHANGED`, `CULVERT_BAD_STATE`, `CULVERT_STATE_IN_USE`
 */
export function assembleFromStore(
  keys: StreamCapabilities,
  context: AssemblyContext,
  store: JournalStore,
): Promise<StreamParts> {
  requireMethods("store", store, "open");
  const open = (): Promise<Journal> => store.open(streamIdOf(keys.write.root));
  return fromJournal(open, async (journalling, head) => {
    if (head === undefined) return beginning(keys, context, journalling);
    const state = decodeState(head);
    const needed = neededBy(state);
    await sweep(journalling.journal, head, needed);
    const beside = await besideIn(journalling.journal, needed);
    return continuation({ state, ...beside }, context, journalling, keys.read);
  });
}

/**
 * A stream that goes on from a whole saved state, with a journal in memory: it may be ahead of its
 * reader by as much as one that has none, or as it is.
 *
 * @throws CulvertError `CULVERT_GEOMETRY_CHANGED`, `CULVERT_BAD_STATE`
 */
export async function assembleLoaded(
  { state, frames }: WholeState,
  context: AssemblyContext,
): Promise<StreamParts> {
  const { base, next } = state.sender;
  const ahead = Math.min(next - base, UNACKNOWLEDGED_FRAMES_CEILING);
  const { unacknowledgedFramesMax = Math.max(DEFAULTS.unacknowledgedFramesMax, ahead) } =
    context.options;
  const options = { ...context.options, unacknowledgedFramesMax };
  const needed = neededBy(state);
  const kept = await loadedJournal(encodeState(state), frames, needed);
  const beside = await besideIn(kept.journal, needed);
  return continuation({ state, ...beside }, { ...context, options }, kept);
}

function neededBy({ sender, receiver, ackWriter }: StreamState): NeededFrames {
  return { ...sender, ...sender.framer, acks: ackWriter.pending, begun: receiver.begun };
}

/** Bytes beside a state that a stream has to have at once. */
type Beside = Required<Pick<StreamCoreInit, "waiting" | "begun">>;

async function besideIn(journal: Journal, needed: NeededFrames): Promise<Beside> {
  return { waiting: await waitingIn(journal, needed), begun: await begunIn(journal, needed) };
}

/** The transport with the authority of this stream, if it knows of authority. */
export function bindTransport(transport: Transport, roots: StreamRoots): Transport {
  const { writeSeed, peer, addressesOf } = roots;
  return transport.bind?.({ writeSeed, readRoot: peer, addressesOf }) ?? transport;
}

function beginning(
  keys: StreamCapabilities,
  context: AssemblyContext,
  journalling: Journalling,
): StreamParts {
  const { random, transport } = context;
  const cellBytes = requireGeometry(transport.payloadSize);
  const durable = journalling.journal !== undefined;
  const options = resolveOptions({ ...context.options, durable });
  const core = new StreamCore({ ...keys, cellBytes, random, options });
  return { ...partsOf(keys, context), ...journalling, core, past: NO_PAST };
}

function continuation(
  { state, waiting, begun }: Beside & { readonly state: StreamState },
  context: AssemblyContext,
  journalling: Journalling,
  given?: ReadCapability,
): StreamParts {
  const { random, transport } = context;
  const { cellBytes } = state;
  requireSameGeometry(cellBytes, transport);
  const keys = keysOfState(state, given);
  const options = resolveOptions({ ...context.options, durable: true });
  const core = new StreamCore({ ...keys, cellBytes, random, options, state, waiting, begun });
  return { ...partsOf(keys, context), ...journalling, core, past: pastOf(state, begun) };
}

function pastOf(
  { sender, receiver, isDone }: StreamState,
  begun: readonly Uint8Array[],
): StreamPast {
  const isReadEnded = receiver.end !== undefined;
  const isWriteEnded = sender.framer.endAsked;
  return {
    readOffset: receiver.takenOffset - (receiver.begun?.length ?? 0),
    begun,
    writeOffset: sender.framer.framedBytes + sender.framer.waitingBytes,
    isReadEnded,
    isWriteEnded,
    resetCode: sender.resetCode,
    isAborted: sender.resetIndex !== undefined || (isDone && !(isReadEnded && isWriteEnded)),
    isDone,
  };
}

function partsOf(
  { write, read }: StreamCapabilities,
  { transport, clock }: AssemblyContext,
): Pick<StreamParts, "transport" | "roots" | "clock"> {
  const writeSeed = writeSeedOf(write);
  const { root: peer, addressesOf } = read;
  const roots = { own: write.root, peer, addressesOf, writeSeed };
  return { transport: bindTransport(transport, roots), roots, clock };
}

/** A state names the peer's root alone: what `given` knows of it beside that is in no file. */
function keysOfState(
  { writeSeed, readRoot, sender, receiver }: StreamState,
  given: ReadCapability | undefined,
): StreamCapabilities {
  const known = given && equalBytes(given.root, readRoot) ? given.addressesOf : undefined;
  const write = WriteCapability.of(writeSeed, Chain.fromBytes(sender.chain));
  const read = ReadCapability.of(readRoot, Chain.fromBytes(receiver.chain), known);
  return { write, read };
}
