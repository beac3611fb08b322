import type { Clock, Log } from "../../base/index.ts";
import type { ByteConnection } from "../../io/byte-connection.ts";
import type { RecordService } from "../service/requester.ts";
import { SourceCounts } from "../service/source-counts.ts";
import {
  MapSession,
  noSessionStatistics,
  SESSION_LIMITS,
  type SessionLimits,
  type SessionStatistics,
} from "./map-session.ts";

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

/** How many connections there may be. */
export interface MapSessionsOptions {
  /** Those of one source. */
  readonly perSourceMax: number;
  /** All of them; no bound where something else has one. */
  readonly connectionsMax?: number;
  readonly limits?: SessionLimits;
}

/**
 * Every connection over which a node serves its Map, wherever it comes from. When there is no room,
 * or the service lets nobody else ask, a source that has less than an equal part gets a place from
 * whoever has most: of those the one that nothing has gone over for longest. Nobody's only one is
 * taken.
 */
export class MapSessions {
  readonly #components: MapSessionsComponents;
  readonly #options: MapSessionsOptions;
  readonly #connectionsMax: number;
  readonly #sessions = new Map<MapSession, string>();
  readonly #counts = new SourceCounts();
  readonly #statistics = noSessionStatistics();

  constructor(components: MapSessionsComponents, options: MapSessionsOptions) {
    this.#components = components;
    this.#options = options;
    this.#connectionsMax = options.connectionsMax ?? Number.POSITIVE_INFINITY;
  }

  get statistics(): Readonly<SessionStatistics> {
    return { ...this.#statistics };
  }

  /** Serves a new connection; `source` is the unit of fairness that it counts for. */
  serve(connection: ByteConnection, source: string): void {
    const { perSourceMax, limits = SESSION_LIMITS } = this.#options;
    if (this.#counts.of(source) >= WITH_LEAVING * perSourceMax || !this.#hasRoomFor(source)) {
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
        makeRoom: () => this.#letAsk(source),
        log,
      },
      { source, limits },
    );
    this.#sessions.set(session, source);
    this.#counts.add(source);
    connection.start({
      receive: (bytes) => session.receive(bytes),
      drained: () => session.drained(),
      closed: () => {
        session.closed();
        this.#forget(session);
      },
    });
    // Also who has not said hello yet takes up room.
    if (this.#counts.of(source) > perSourceMax) {
      this.#statistics.refused += 1;
      session.goodbye("busy");
    }
  }

  /** Tells every client that the node is closing, after the answers that it still gets. */
  goodbye(): void {
    for (const session of this.#sessions.keys()) session.goodbye("closing");
  }

  #hasRoomFor(source: string): boolean {
    if (this.#sessions.size < this.#connectionsMax) return true;
    for (const session of this.#sessions.keys()) {
      // It was told to go, and only lingers.
      if (session.isClosed) return this.#end(session);
    }
    return this.#makeRoomFor(source, this.#counts, () => true);
  }

  /** The service lets nobody else ask; one of a source of which nobody asks has somebody leave. */
  #letAsk(source: string): boolean {
    const counts = new SourceCounts();
    for (const [session, asking] of this.#sessions) {
      if (session.isAsker) counts.add(asking);
    }
    if (counts.of(source) > 0) return false;
    return this.#makeRoomFor(source, counts, (session) => session.isAsker);
  }

  #makeRoomFor(
    source: string,
    counts: SourceCounts,
    isMeant: (session: MapSession) => boolean,
  ): boolean {
    const debtor = counts.debtor(source, counts.total);
    // One that is left with less than it has given would take it back.
    if (debtor === undefined || counts.of(debtor) <= counts.of(source) + 1) return false;
    let idlest: MapSession | undefined;
    for (const [session, other] of this.#sessions) {
      if (other !== debtor || !isMeant(session)) continue;
      if (idlest === undefined || givesWayBefore(session, idlest)) idlest = session;
    }
    return idlest !== undefined && this.#end(idlest);
  }

  /** Its place is free at once: others may come before its connection is gone. */
  #end(session: MapSession): true {
    session.displace();
    this.#forget(session);
    return true;
  }

  #forget(session: MapSession): void {
    const source = this.#sessions.get(session);
    if (source === undefined) return;
    this.#sessions.delete(session);
    this.#counts.remove(source);
  }
}

/** Who has not even said hello goes first. */
function givesWayBefore(a: MapSession, b: MapSession): boolean {
  if (a.isAsker !== b.isAsker) return b.isAsker;
  return a.activeAt < b.activeAt;
}
