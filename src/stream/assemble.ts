import {
  type Clock,
  CulvertError,
  type Journal,
  type JournalStore,
  type Random,
} from "../base/index.ts";
import {
  Chain,
  deriveDirection,
  ReadCapability,
  type StreamRole,
  WriteCapability,
} from "../crypto/index.ts";
import type { Transport } from "../transport/index.ts";
import { CELL_BYTES_MAX, CELL_BYTES_MIN } from "./frame.ts";
import { resolveOptions, type StreamOptions } from "./options.ts";
import { parseSecret, streamIdOf } from "./secret.ts";
import type { StreamState } from "./state.ts";
import { decodeState } from "./state-codec.ts";
import { StreamCore } from "./stream-core.ts";

/** What one side of a stream holds: the right to write one direction and to read the other. */
export interface StreamCapabilities {
  readonly write: WriteCapability;
  readonly read: ReadCapability;
}

/** Everything that a `Stream` is put together from. */
export interface StreamParts {
  readonly core: StreamCore;
  /** Bound to this stream. */
  readonly transport: Transport;
  readonly journal: Journal | undefined;
  readonly keys: StreamCapabilities;
  readonly clock: Clock;
  /** Bytes that earlier sessions have delivered, and framed. */
  readonly readOffset: number;
  readonly writeOffset: number;
}

/** The capabilities that `role` derives from a secret. */
export function capabilitiesOf(secret: Uint8Array | string, role: StreamRole): StreamCapabilities {
  const bytes = parseSecret(secret);
  const own = deriveDirection(bytes, role);
  const other = deriveDirection(bytes, role === "listener" ? "dialer" : "listener");
  return {
    write: WriteCapability.of(own.seed, own.chain),
    read: WriteCapability.of(other.seed, other.chain).readCapability(),
  };
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
export function assembleNew(
  keys: StreamCapabilities,
  context: AssemblyContext,
  journal?: Journal,
): StreamParts {
  const cellBytes = requireGeometry(context.transport.payloadSize);
  const options = resolveOptions({ ...context.options, durable: journal !== undefined });
  const core = new StreamCore({ ...keys, cellBytes, random: context.random, options });
  return { ...partsOf(keys, context), core, journal, readOffset: 0, writeOffset: 0 };
}

/**
 * A stream that goes on from saved state.
 *
 * @throws CulvertError `CULVERT_GEOMETRY_CHANGED`, `CULVERT_BAD_STATE`
 */
export function assembleSaved(
  state: StreamState,
  context: AssemblyContext,
  journal: Journal,
): StreamParts {
  const { payloadSize } = context.transport;
  if (state.cellBytes !== payloadSize) {
    throw new CulvertError("CULVERT_GEOMETRY_CHANGED", undefined, {
      detail: { state: state.cellBytes, transport: payloadSize },
    });
  }
  const keys = keysOfState(state);
  const options = resolveOptions({ ...context.options, durable: true });
  const core = new StreamCore({
    ...keys,
    cellBytes: state.cellBytes,
    random: context.random,
    options,
    state,
  });
  const readOffset = state.receiver.takenOffset;
  const writeOffset = state.sender.framer.framedBytes + state.sender.framer.buffered.length;
  return { ...partsOf(keys, context), core, journal, readOffset, writeOffset };
}

/** Opens the journal of a stream and goes on where it stopped, or begins. */
export async function assembleFromStore(
  keys: StreamCapabilities,
  context: AssemblyContext,
  store: JournalStore,
): Promise<StreamParts> {
  const journal = await store.open(streamIdOf(keys.write.root));
  try {
    const head = await journal.load();
    if (head === undefined) return assembleNew(keys, context, journal);
    return assembleSaved(decodeState(head), context, journal);
  } catch (error) {
    await journal.close();
    throw error;
  }
}

function partsOf(
  keys: StreamCapabilities,
  { transport, clock }: AssemblyContext,
): Pick<StreamParts, "transport" | "keys" | "clock"> {
  return { transport: bindTransport(transport, keys), keys, clock };
}

/** The transport with the authority of this stream, if it knows of authority. */
export function bindTransport(transport: Transport, keys: StreamCapabilities): Transport {
  if (transport.bind === undefined) return transport;
  const writeSeed = keys.write.toBytes().slice(0, 32);
  return transport.bind({ writeSeed, readRoot: keys.read.root });
}

function keysOfState(state: StreamState): StreamCapabilities {
  const write = WriteCapability.of(state.writeSeed, Chain.fromBytes(state.sender.chain));
  const read = ReadCapability.of(state.readRoot, Chain.fromBytes(state.receiver.chain));
  return { write, read };
}

function requireGeometry(cellBytes: number): number {
  if (Number.isInteger(cellBytes) && cellBytes >= CELL_BYTES_MIN && cellBytes <= CELL_BYTES_MAX) {
    return cellBytes;
  }
  throw new CulvertError(
    "CULVERT_GEOMETRY_CHANGED",
    `cells must have ${CELL_BYTES_MIN} to ${CELL_BYTES_MAX} bytes, not ${cellBytes}`,
  );
}
