import type { Clock, Log } from "../../base/index.ts";
import type { ByteConnection } from "../../io/byte-connection.ts";
import type { RecordService } from "../service/requester.ts";
import { MapSession, type SessionLimits, type SessionStatistics } from "./map-session.ts";

/** What the sessions of a node are built from. */
export interface MapSessionsComponents {
  readonly service: RecordService;
  readonly clock: Clock;
  /** Bytes of all connections that were written and are not on their way yet. */
  readonly unsentBytesOfAll: () => number;
  readonly log?: Log | undefined;
}

/** Connections of a source, those that were told to go included, as a multiple of its bound. */
const WITH_LEAVING = 2;

/** Every connection over which a node serves its Map, wherever it comes from. */
export class MapSessions {
  readonly #components: MapSessionsComponents;
  readonly #perSourceMax: number;
  readonly #limits: Partial<SessionLimits> | undefined;
  readonly #sessions = new Map<MapSession, string>();
  readonly #statistics: SessionStatistics = {
    protocolErrors: 0,
    slowReaders: 0,
    timeouts: 0,
    idle: 0,
    refused: 0,
  };

  constructor(
    components: MapSessionsComponents,
    options: { readonly perSourceMax: number; readonly limits?: Partial<SessionLimits> },
  ) {
    this.#components = components;
    this.#perSourceMax = options.perSourceMax;
    this.#limits = options.limits;
  }

  get statistics(): Readonly<SessionStatistics> {
    return { ...this.#statistics };
  }

  /** Serves a new connection; `source` is the unit of fairness that it counts for. */
  serve(connection: ByteConnection, source: string): void {
    if (this.#countOf(source) >= WITH_LEAVING * this.#perSourceMax) {
      this.#statistics.refused += 1;
      connection.close(true);
      return;
    }
    const { service, clock, unsentBytesOfAll, log } = this.#components;
    const session = new MapSession(
      {
        service,
        clock,
        port: {
          write: (bytes) => connection.write(bytes),
          get unsentBytes() {
            return connection.unsentBytes;
          },
          unsentBytesOfAll,
          setReading: (isReading) => connection.setReading(isReading),
          close: (isAbrupt) => connection.close(isAbrupt),
        },
        statistics: this.#statistics,
        log,
      },
      { source, limits: this.#limits },
    );
    this.#sessions.set(session, source);
    connection.start({
      receive: (bytes) => session.receive(bytes),
      drained: () => session.drained(),
      closed: () => {
        session.closed();
        this.#sessions.delete(session);
      },
    });
    // Also who has not said hello yet takes up room.
    if (this.#countOf(source) > this.#perSourceMax) {
      this.#statistics.refused += 1;
      session.goodbye("busy");
    }
  }

  /** Tells every client that the node is closing, after the answers that it still gets. */
  goodbye(): void {
    for (const session of this.#sessions.keys()) session.goodbye("closing");
  }

  #countOf(source: string): number {
    let count = 0;
    for (const other of this.#sessions.values()) if (other === source) count += 1;
    return count;
  }
}
