import {
  type Log,
  requireArray,
  requireObject,
  resolveLimits,
  SeededRandom,
} from "../../base/index.ts";
import { ByteServer } from "../../io/byte-server.ts";
import { systemClock } from "../../io/clock.ts";
import { defer } from "../../io/defer.ts";
import { type Endpoint, formatEndpoint, requireEndpoint } from "../../io/endpoint.ts";
import { nativeSigner } from "../../io/native-signer.ts";
import { systemRandom } from "../../io/random.ts";
import { loadOrCreateSecret } from "../../io/secret-file.ts";
import { asideVerifier, PAYLOAD_BYTES_MAX } from "../record/record.ts";
import { type Faults, FaultyService, forgetfulStore } from "../service/faults.ts";
import { type MapLimits, resolveMapLimits } from "../service/limits.ts";
import { MapService } from "../service/map-service.ts";
import type { RecordService } from "../service/requester.ts";
import type { MapStatistics } from "../service/statistics.ts";
import { LevelRecordStore } from "../store/level-record-store.ts";
import { MemoryRecordStore } from "../store/memory-record-store.ts";
import type { RecordStore, StoreStatistics } from "../store/record-store.ts";
import { SESSION_LIMITS, type SessionLimits, type SessionStatistics } from "./map-session.ts";
import { MapSessions } from "./map-sessions.ts";

/** How a Map server is started. */
export interface MapServerOptions {
  /** Where to listen: `HOST:PORT`, `[IPV6]:PORT`, `unix:PATH`; port 0 takes a free one. */
  readonly listen: readonly string[];
  /** Exact length of the payload of every cell of this network. */
  readonly payloadSize: number;
  /** Folder of the records and of the node's key; without it both live in memory. */
  readonly directory?: string;
  /** Records that are kept at most; 16 to 32 bytes of memory each. */
  readonly entriesMax?: number;
  /** Bytes of records that are kept at most. */
  readonly bytesMax?: number;
  readonly limits?: Partial<MapLimits>;
  readonly sessionLimits?: Partial<SessionLimits>;
  /** Loses this share of requests, of answers, and of acknowledged records: to see what holds. */
  readonly faults?: { readonly lose: number; readonly seed: number };
  readonly log?: Log;
}

/** Tuned for a node of 300 MiB of memory and a few gigabytes of disk. */
export const MAP_SERVER_DEFAULTS: { readonly entriesMax: number; readonly bytesMax: number } =
  Object.freeze({ entriesMax: 1_000_000, bytesMax: 8 * 2 ** 30 });

/** What a server has done and holds. */
export interface MapServerStatistics extends MapStatistics, SessionStatistics {
  readonly store: StoreStatistics;
}

/** A running Map server. */
export interface MapServer extends AsyncDisposable {
  /** Where it listens, with the real ports. */
  readonly endpoints: readonly string[];
  /** 32 bytes: the key that signs its receipts; the same after a restart in the same folder. */
  readonly nodeKey: Uint8Array;
  statistics(): MapServerStatistics;
  /**
   * Answers what was taken, says goodbye, closes the store. Closing twice waits for the first.
   *
   * @throws CulvertError of the store; `CULVERT_TIMEOUT` when it hangs: all else is closed then
   */
  close(): Promise<void>;
}

/** Connections that have not said hello yet, beyond the askers that there may be. */
const STRANGERS_MAX = 128;
/** Connections that have made room for others, and are not gone yet. */
const GOING_MAX = 128;
/** Time for clients to take their last answers. */
const GOODBYE_MS = 5_000;

/**
 * Starts a Map node on sockets.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE` when it cannot listen, `CULVERT_USAGE` for an endpoint
 *   that is none; `CULVERT_STATE_IN_USE`, `CULVERT_BAD_STATE`, `CULVERT_FILE` or
 *   `CULVERT_GEOMETRY_CHANGED` for its folder
 */
export async function startMapServer(options: MapServerOptions): Promise<MapServer> {
  requireObject("options", options);
  const { payloadSize, log } = options;
  if (!Number.isInteger(payloadSize) || payloadSize < 1 || payloadSize > PAYLOAD_BYTES_MAX) {
    throw new RangeError(`payloadSize must be from 1 to ${PAYLOAD_BYTES_MAX}`);
  }
  // What can be wrong with the options is found before the folder is held.
  requireArray("listen", options.listen);
  const endpoints = options.listen.map(requireEndpoint);
  const faults = faultsOf(options);
  const limits = resolveMapLimits(options.limits);
  const sessionLimits = resolveLimits(SESSION_LIMITS, options.sessionLimits);
  const { store, seed } = await openStore(options);
  const service = new MapService(
    {
      store: faults === undefined ? store : forgetfulStore(store, faults),
      clock: systemClock,
      signer: nativeSigner(seed),
      defer,
      verifyAside: asideVerifier(),
      log,
    },
    faults === undefined ? limits : { ...limits, recentBytesMax: 1 },
  );
  const front = faults === undefined ? service : new FaultyService(service, faults);
  const server = new SocketServer(service, front, { log, limits: sessionLimits });
  try {
    for (const endpoint of endpoints) await server.listen(endpoint);
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

class SocketServer implements MapServer {
  readonly nodeKey: Uint8Array;
  readonly #service: MapService;
  readonly #servers: ByteServer[] = [];
  readonly #sessions: MapSessions;
  #closing: Promise<void> | undefined;

  constructor(
    service: MapService,
    front: RecordService,
    { log, limits }: { readonly log: Log | undefined; readonly limits: SessionLimits },
  ) {
    this.#service = service;
    const { linksMax, linksPerSourceMax } = service.limits;
    this.#sessions = new MapSessions(
      {
        service: front,
        clock: systemClock,
        unsentBytesOfAll: () => this.#unsentBytes(),
        log,
      },
      {
        perSourceMax: linksPerSourceMax,
        connectionsMax: linksMax + STRANGERS_MAX,
        limits,
      },
    );
    this.nodeKey = service.greeting().nodeKey;
  }

  get endpoints(): readonly string[] {
    return this.#servers.map((server) => formatEndpoint(server.endpoint));
  }

  async listen(endpoint: Endpoint): Promise<void> {
    const server = await ByteServer.listen({
      endpoint,
      connectionsMax: this.#service.limits.linksMax + STRANGERS_MAX + GOING_MAX,
      onConnection: (connection, source) => this.#sessions.serve(connection, source),
    });
    this.#servers.push(server);
  }

  statistics(): MapServerStatistics {
    return { ...this.#service.statistics(), ...this.#sessions.statistics };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const closed = Promise.all(this.#servers.map((server) => server.close()));
    try {
      await this.#service.close();
    } finally {
      await this.#leave(closed);
    }
  }

  /** Resolves when all connections have ended. */
  async #leave(closed: Promise<unknown>): Promise<void> {
    this.#sessions.goodbye();
    // Who is still asking would lose its last answers with a connection that is gone.
    for (const server of this.#servers) server.endSilent();
    const cut = systemClock.schedule(systemClock.now() + GOODBYE_MS, () => {
      for (const server of this.#servers) server.destroy();
    });
    await closed;
    cut();
  }

  #unsentBytes(): number {
    return this.#servers.reduce((sum, server) => sum + server.unsentBytes(), 0);
  }
}

async function openStore(
  options: MapServerOptions,
): Promise<{ store: RecordStore; seed: Uint8Array }> {
  const { payloadSize, directory } = options;
  const entriesMax = options.entriesMax ?? MAP_SERVER_DEFAULTS.entriesMax;
  const bytesMax = options.bytesMax ?? MAP_SERVER_DEFAULTS.bytesMax;
  const sizes = { payloadSize, entriesMax, bytesMax };
  if (directory === undefined) {
    return { store: new MemoryRecordStore(sizes), seed: systemRandom.bytes(32) };
  }
  // The store first: holding it is holding the folder.
  const store = await LevelRecordStore.open({ ...sizes, path: `${directory}/records` });
  try {
    return { store, seed: await loadOrCreateSecret(`${directory}/node.key`) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function faultsOf({ faults }: MapServerOptions): Faults | undefined {
  if (faults === undefined || faults.lose === 0) return undefined;
  const { lose, seed } = faults;
  if (!(lose > 0 && lose <= 1)) throw new RangeError("lose must be from 0 to 1");
  return { requests: lose, replies: lose, records: lose, random: new SeededRandom(seed) };
}
