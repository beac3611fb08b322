import {
  type Cancel,
  type Clock,
  CulvertError,
  isCulvertError,
  type Log,
  type Random,
  SILENT,
  throwIfAborted,
} from "../../base/index.ts";
import { dialBytes } from "../../io/byte-connection.ts";
import { systemClock } from "../../io/clock.ts";
import { requireEndpoint } from "../../io/endpoint.ts";
import { errorCode } from "../../io/error-code.ts";
import { systemRandom } from "../../io/random.ts";
import type { MapRecord } from "../record/record.ts";
import type { MapGreeting } from "../service/requester.ts";
import { type DialNode, NodeConnection } from "../wire/node-connection.ts";
import type {
  CarrierGetOptions,
  CarrierPutOptions,
  RecordCarrier,
  StoredReply,
} from "./record-carrier.ts";
import {
  resolveCarrierLimits,
  ServiceCarrier,
  type ServiceCarrierLimits,
} from "./service-carrier.ts";

/** How a remote Map is reached. */
export interface RemoteMapOptions {
  /** Time for a connection to be made and greeted. */
  readonly connectMs?: number;
  /** Gives the first connection up while it is made. */
  readonly signal?: AbortSignal | undefined;
  readonly limits?: Partial<ServiceCarrierLimits>;
  /** Whether a lost connection is made again also when nobody waits for it; true if absent. */
  readonly isKept?: boolean;
  readonly log?: Log;
  /** The machine's own, unless told otherwise. */
  readonly components?: { readonly clock?: Clock; readonly random?: Random };
}

const CONNECT_MS = 10_000;
/** The pause before a connection is tried again doubles from the first to the last of these. */
const PAUSE_MS = { first: 100, last: 10_000 } as const;

/**
 * Connects to a Map node at `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY`, `CULVERT_PROTOCOL`, or
 *   `CULVERT_USAGE` for an endpoint that is none
 */
export async function connectMap(
  endpoint: string,
  options: RemoteMapOptions = {},
): Promise<RemoteMap> {
  const parsed = requireEndpoint(endpoint);
  try {
    return await connectMapBy((events) => dialBytes(parsed, events), options);
  } catch (error) {
    if (!isCulvertError(error, "CULVERT_UNREACHABLE")) throw error;
    const code = errorCode(error.cause);
    const why = code === undefined ? "" : ` (${code})`;
    throw new CulvertError(error.code, `no Map answers at ${endpoint}${why}`, { cause: error });
  }
}

/**
 * Connects to a Map node over whatever `dial` opens, which is called again when a connection is
 * lost.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY` or `CULVERT_PROTOCOL`
 * @throws Error `AbortError`
 */
export async function connectMapBy(
  dial: DialNode,
  options: RemoteMapOptions = {},
): Promise<RemoteMap> {
  const clock = options.components?.clock ?? systemClock;
  const { connectMs = CONNECT_MS, signal } = options;
  const limits = resolveCarrierLimits(options.limits);
  throwIfAborted(signal);
  const connection = await NodeConnection.make(dial, { clock, connectMs, signal }).catch(
    (error: unknown) => {
      throwIfAborted(signal);
      throw error;
    },
  );
  return new RemoteMap(dial, connection, { ...options, limits });
}

/**
 * A carrier to one node; {@link connectMap} makes it. When the connection is lost,
 * what was sent over it fails with `CULVERT_UNREACHABLE`, and the connection is made again, with
 * growing pauses, until `close`. What is asked meanwhile waits for it, within its timeout. One that
 * is not kept is closed instead as soon as nothing waits.
 */
export class RemoteMap implements RecordCarrier, Disposable {
  readonly payloadSize: number;
  readonly handsOver = true;
  readonly #dialNode: DialNode;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #connectMs: number;
  readonly #answerMs: number;
  readonly #isKept: boolean;
  readonly #log: Log;
  readonly #carrier: ServiceCarrier;
  #connection: NodeConnection | undefined;
  #failures = 0;
  #isClosed = false;
  /** Aborted by `close`: whoever dials then hangs up. */
  readonly #closing = new AbortController();
  #cancelPause: Cancel = () => {};

  constructor(
    dial: DialNode,
    connection: NodeConnection,
    options: RemoteMapOptions & { readonly limits: ServiceCarrierLimits },
  ) {
    const { limits, components = {} } = options;
    this.#dialNode = dial;
    this.#clock = components.clock ?? systemClock;
    this.#random = components.random ?? systemRandom;
    this.#connectMs = options.connectMs ?? CONNECT_MS;
    this.#answerMs = limits.answerMs;
    this.#isKept = options.isKept ?? true;
    this.#log = options.log ?? SILENT;
    this.#carrier = new ServiceCarrier(
      { clock: this.#clock, onSilence: () => this.#doubt() },
      { greeting: connection.greeting, limits },
    );
    this.payloadSize = connection.greeting.payloadSize;
    this.#use(connection);
  }

  /** What the node told when it was reached last: its key, its limits. */
  get greeting(): MapGreeting {
    return this.#carrier.greeting;
  }

  /** Requests that were made and are not answered. */
  get openRequests(): number {
    return this.#carrier.openRequests;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  async put(record: MapRecord, options: CarrierPutOptions = {}): Promise<StoredReply> {
    return await this.#carrier.put(record, options);
  }

  async get(address: Uint8Array, options: CarrierGetOptions = {}): Promise<MapRecord> {
    return await this.#carrier.get(address, options);
  }

  /** Ends the connection; everything that is open fails with `CULVERT_CLOSED`. */
  close(): void {
    this.#isClosed = true;
    this.#closing.abort();
    this.#cancelPause();
    this.#carrier.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #use(connection: NodeConnection): void {
    if (this.#isClosed) {
      connection.requester.close();
      return;
    }
    if (connection.greeting.payloadSize !== this.payloadSize) {
      connection.requester.close();
      this.#isClosed = true;
      this.#carrier.close(new CulvertError("CULVERT_GEOMETRY_CHANGED"));
      return;
    }
    this.#failures = 0;
    this.#connection = connection;
    connection.use({ ...this.#carrier.events(), lost: (error) => this.#lost(error) });
    if (this.#connection !== undefined)
      this.#carrier.attach(connection.requester, connection.greeting);
  }

  #lost(error: CulvertError): void {
    this.#connection = undefined;
    this.#carrier.detach();
    this.#pause(error);
  }

  #pause(error: CulvertError): void {
    if (this.#isClosed) return;
    if (!this.#isKept && this.openRequests === 0) {
      this.close();
      return;
    }
    this.#log("info", "map-unreachable", { code: error.code, failures: this.#failures });
    const longest = Math.min(PAUSE_MS.first * 2 ** this.#failures, PAUSE_MS.last);
    this.#failures += 1;
    // From half of it on: clients that lost a node together do not come back together.
    const at = this.#clock.now() + longest * (0.5 + this.#random.unit() / 2);
    this.#cancelPause = this.#clock.schedule(at, () => void this.#dial());
  }

  async #dial(): Promise<void> {
    try {
      const { signal } = this.#closing;
      const limits = { clock: this.#clock, connectMs: this.#connectMs, signal };
      this.#use(await NodeConnection.make(this.#dialNode, limits));
    } catch (error) {
      const isKnown = isCulvertError(error);
      this.#pause(
        isKnown ? error : new CulvertError("CULVERT_INTERNAL", undefined, { cause: error }),
      );
    }
  }

  /** An answer is overdue: if nothing at all came for as long, the connection is dead. */
  #doubt(): void {
    const connection = this.#connection;
    if (connection === undefined || this.#clock.now() - connection.heardAt < this.#answerMs) return;
    connection.drop(new CulvertError("CULVERT_UNREACHABLE", "the node has fallen silent"));
  }
}
