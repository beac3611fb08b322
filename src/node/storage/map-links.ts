import { type Clock, CulvertError, type Instant, type Log, type Random } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";
import { ByteConnection } from "../../io/byte-connection.ts";
import type { Link, LinkHost, LinkStream } from "../../link/index.ts";
import {
  connectMapBy,
  type DialNode,
  MapSessions,
  type MapSessionsComponents,
  type MapSessionsOptions,
  type RecordService,
  type RemoteMap,
} from "../../mapservice/index.ts";
import { sourceOf } from "../links/link-source.ts";

/** The protocol of the streams that carry the Map's own wire. */
const MAP_PROTOCOL = "map";

/** Nodes whose Map is kept at hand; of those that nobody asks anything the oldest ones end. */
const MAPS_MAX = 64;
/** The same of all, those included on which somebody waits: as many as there are links. */
const MAPS_BUSY_MAX = 512;
/**
 * Work done for a put. No node of a network asks for any; a hostile one that is near many records
 * would have the whole time of those that hand them over to it.
 */
const WORK_BITS_MAX = 0;
/** Who was given one will ask it by then. */
const HANDED_OUT_MS = 1_000;

/** Serves the Map over every stream that asks for it. */
export function serveMapOverLinks(
  host: LinkHost,
  components: Omit<MapSessionsComponents, "unsentBytesOfAll" | "service"> & {
    readonly service: RecordService;
  },
  options: MapSessionsOptions,
): MapSessions {
  const open = new Set<ByteConnection>();
  const unsentBytesOfAll = (): number => {
    let bytes = 0;
    for (const connection of open) bytes += connection.unsentBytes;
    return bytes;
  };
  const sessions = new MapSessions({ ...components, unsentBytesOfAll }, options);
  host.handle(MAP_PROTOCOL, (stream, link) => {
    const connection = connectionOf(stream, components.clock);
    open.add(connection);
    stream.once("close", () => open.delete(connection));
    sessions.serve(connection, sourceOf(link).source);
  });
  return sessions;
}

/** What connections to the Maps of others are made with. */
export interface MapPeersComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
}

/** A connection to a node's Map, and when somebody was given it last. */
interface KeptMap {
  readonly map: Promise<RemoteMap>;
  /** Once it is there. */
  remote: RemoteMap | undefined;
  usedAt: Instant;
}

/** The Maps of other nodes, one connection each, made when it is needed. */
export class MapPeers {
  readonly #linkTo: (id: NodeId) => Promise<Link>;
  readonly #components: MapPeersComponents;
  /** The one that was used longest ago first. */
  readonly #maps = new Map<string, KeptMap>();
  #isClosed = false;

  /** @param linkTo an open link to a node, or a failure with a code */
  constructor(linkTo: (id: NodeId) => Promise<Link>, components: MapPeersComponents) {
    this.#linkTo = linkTo;
    this.#components = components;
  }

  /**
   * The Map of a node.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY`, `CULVERT_PROTOCOL`
   */
  async of(id: NodeId): Promise<RemoteMap> {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    const key = nodeIdText(id);
    const kept = this.#usable(key) ?? this.#connect(id, key);
    kept.usedAt = this.#components.clock.now();
    this.#maps.delete(key);
    this.#maps.set(key, kept);
    if (this.#maps.size > MAPS_MAX) this.#letGo(kept.usedAt);
    return await kept.map;
  }

  /** Ends every connection; what is open fails with `CULVERT_CLOSED`. */
  close(): void {
    this.#isClosed = true;
    for (const { map } of this.#maps.values()) end(map);
    this.#maps.clear();
  }

  /** One that was lost while nobody waited for anything is over. */
  #usable(key: string): KeptMap | undefined {
    const kept = this.#maps.get(key);
    return kept?.remote?.isClosed === true ? undefined : kept;
  }

  #connect(id: NodeId, key: string): KeptMap {
    const { log, ...components } = this.#components;
    const dial = mapDialler(() => this.#linkTo(id), components.clock);
    const limits = { workBitsMax: WORK_BITS_MAX };
    const map = connectMapBy(dial, { components, limits, isKept: false, ...(log && { log }) });
    const kept: KeptMap = { map, remote: undefined, usedAt: 0 };
    map.then(
      (remote) => {
        kept.remote = remote;
      },
      () => {
        if (this.#maps.get(key) === kept) this.#maps.delete(key);
      },
    );
    return kept;
  }

  /** What waits at a node would fail with its connection: a get may wait for minutes. */
  #letGo(now: Instant): void {
    for (const [key, { map, remote, usedAt }] of this.#maps) {
      const isUnused = remote?.openRequests === 0 && now >= usedAt + HANDED_OUT_MS;
      if (!isUnused && this.#maps.size <= MAPS_BUSY_MAX) continue;
      this.#maps.delete(key);
      end(map);
      if (this.#maps.size <= MAPS_MAX) return;
    }
  }
}

/** As over a socket: half a connection is of no use, and would stay for as long as an idle one. */
function connectionOf(stream: LinkStream, clock: Clock): ByteConnection {
  stream.once("end", () => stream.end());
  return new ByteConnection(stream, clock);
}

function end(map: Promise<RemoteMap>): void {
  map.then(
    (remote) => remote.close(),
    () => {},
  );
}

/** Opens a stream of whatever link leads to a node now. */
function mapDialler(openLink: () => Promise<Link>, clock: Clock): DialNode {
  return (events) => {
    let connection: ByteConnection | undefined;
    let isClosed = false;
    openLink()
      .then((link) => link.openStream(MAP_PROTOCOL))
      .then(
        (stream) => {
          connection = connectionOf(stream, clock);
          if (isClosed) connection.close(true);
          connection.start(events);
          events.connected();
        },
        (error: unknown) => events.closed(error instanceof Error ? error : undefined),
      );
    return {
      write: (bytes) => connection?.write(bytes),
      get unsentBytes() {
        return connection?.unsentBytes ?? 0;
      },
      close: (isAbrupt) => {
        isClosed = true;
        connection?.close(isAbrupt);
      },
    };
  };
}
