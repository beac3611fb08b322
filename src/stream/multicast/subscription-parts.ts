import { type Clock, type Journal, type JournalStore, requireMethods } from "../../base/index.ts";
import { Chain, ReadCapability, WriteCapability } from "../../crypto/index.ts";
import { systemClock } from "../../io/clock.ts";
import { systemRandom } from "../../io/random.ts";
import type { Transport } from "../../transport/index.ts";
import type { SessionParts } from "../duplex/core-session.ts";
import { requireGeometry, requireSameGeometry } from "../frame/geometry.ts";
import { requireOpenable } from "../openable.ts";
import { fromJournal, type Journalling, NO_JOURNAL } from "../saved/journalling.ts";
import { loadedJournal } from "../saved/saved-frames.ts";
import { streamIdOf, writeSeedOf } from "../secret.ts";
import {
  type GivenCapability,
  parseReadCapability,
  parseWriteCapability,
} from "./capability-text.ts";
import { resolveSubscriptionOptions, type SubscriptionOptions } from "./options.ts";
import { SubscriptionCore } from "./subscription-core.ts";
import {
  decodeSubscriptionState,
  encodeSubscriptionState,
  type SubscriptionState,
  type WholeSubscription,
} from "./subscription-state.ts";

/** How a `Subscription` is opened; what is left out is as in `SUBSCRIPTION_DEFAULTS`. */
export interface SubscriptionOpenOptions extends Partial<Omit<SubscriptionOptions, "durable">> {
  /**
   * A chain of one's own, from `generateCapability`, whose `readCapability()` the writer was given
   * (`Broadcast.addReader`): what is missing is asked for on it. One for each reader.
   */
  readonly repair?: WriteCapability | Uint8Array;
  /** `manual`: bytes count as taken when `confirm` says so, for an application that is exact. */
  readonly confirm?: "auto" | "manual";
  /** False: nothing happens until `start` is called. */
  readonly autoStart?: boolean;
  /** As for any Readable: bytes that Node itself buffers, beside what the protocol holds. */
  readonly readableHighWaterMark?: number;
  /** Aborted, it ends the subscription, with an error named `AbortError`. */
  readonly signal?: AbortSignal | undefined;
  /** The machine's own time, unless a test brings another one. */
  readonly clock?: Clock;
}

/** Everything that a `Subscription` is put together from. */
export interface SubscriptionParts extends SessionParts<SubscriptionCore> {
  readonly roots: SubscriptionRoots;
  /** Bytes that earlier sessions have taken. */
  readonly readOffset: number;
  /** Earlier sessions have taken the end. */
  readonly isDone: boolean;
}

/** What stays of a subscription's keys. The chains are the core's alone, which moves them on. */
export interface SubscriptionRoots {
  /** Public key of the broadcast. */
  readonly read: Uint8Array;
  /** Seed of the reader's own repair chain, 32 bytes. Secret. */
  readonly writeSeed: Uint8Array | undefined;
}

/** What a reader may read, and where it may write. */
export interface SubscriptionKeys {
  readonly read: ReadCapability;
  readonly repair: WriteCapability | undefined;
}

/** A subscription that begins, and ends with this process. */
export function newSubscription(
  transport: Transport,
  capability: GivenCapability,
  options: SubscriptionOpenOptions,
): SubscriptionParts {
  requireOpenable(transport, options);
  const cellBytes = requireGeometry(transport.payloadSize);
  const keys = keysOf(parseReadCapability(capability), options);
  return assemble({ transport, options, cellBytes, keys }, NO_JOURNAL);
}

/** A subscription that goes on from its journal, or begins with it. */
export async function subscriptionFromStore(
  transport: Transport,
  capability: GivenCapability,
  options: SubscriptionOpenOptions & { readonly store: JournalStore },
): Promise<SubscriptionParts> {
  requireOpenable(transport, options);
  requireMethods("store", options.store, "open");
  const cellBytes = requireGeometry(transport.payloadSize);
  const read = parseReadCapability(capability);
  // Where it was joined is part of its name: to read again from elsewhere is another subscription.
  const id = streamIdOf(read.toBytes());
  const open = (): Promise<Journal> => options.store.open(id);
  return await fromJournal(open, (journalling, head) => {
    const context = { transport, options, cellBytes, keys: keysOf(read, options) };
    if (head === undefined) return assemble(context, journalling);
    return continuation(decodeSubscriptionState(head), context, journalling);
  });
}

/** A subscription that goes on from a saved state, with a journal in memory for its questions. */
export async function subscriptionFromState(
  transport: Transport,
  { state, frames }: WholeSubscription,
  options: SubscriptionOpenOptions,
): Promise<SubscriptionParts> {
  requireOpenable(transport, options);
  const needed = { base: 0, next: 0, acks: state.repair?.pending ?? [], waitingBytes: 0 };
  const kept = await loadedJournal(encodeSubscriptionState(state), frames, needed);
  const read = ReadCapability.of(state.root, Chain.fromBytes(state.chain));
  const context = { transport, options, cellBytes: state.cellBytes, keys: keysOf(read, options) };
  return continuation(state, context, kept);
}

/** The transport with the authority to read a broadcast, and to write on one's own repair chain. */
export function bindForReading(
  transport: Transport,
  { read, writeSeed }: SubscriptionRoots,
): Transport {
  const keys = { readRoot: read, ...(writeSeed && { writeSeed }) };
  return transport.bind?.(keys) ?? transport;
}

interface Context {
  readonly transport: Transport;
  readonly options: SubscriptionOpenOptions;
  readonly cellBytes: number;
  readonly keys: SubscriptionKeys;
}

function continuation(
  state: SubscriptionState,
  context: Context,
  journalling: Journalling,
): SubscriptionParts {
  requireSameGeometry(state.cellBytes, context.transport);
  const read = ReadCapability.of(state.root, Chain.fromBytes(state.chain));
  const saved =
    state.repair && WriteCapability.of(state.repair.seed, Chain.fromBytes(state.repair.chain));
  const keys = { read, repair: saved ?? context.keys.repair };
  return assemble({ ...context, keys }, journalling, state);
}

function assemble(
  { transport, options: given, cellBytes, keys }: Context,
  journalling: Journalling,
  state?: SubscriptionState,
): SubscriptionParts {
  const durable = journalling.journal !== undefined;
  const options = resolveSubscriptionOptions({ ...given, durable });
  const core = new SubscriptionCore({
    ...keys,
    cellBytes,
    random: systemRandom,
    options,
    ...(state && { state }),
  });
  const roots = { read: keys.read.root, writeSeed: keys.repair && writeSeedOf(keys.repair) };
  return {
    ...journalling,
    core,
    transport: bindForReading(transport, roots),
    clock: given.clock ?? systemClock,
    roots,
    readOffset: state?.position.takenOffset ?? 0,
    isDone: state?.isDone ?? false,
  };
}

function keysOf(read: ReadCapability, { repair }: SubscriptionOpenOptions): SubscriptionKeys {
  return { read, repair: repair === undefined ? undefined : parseWriteCapability(repair) };
}
