import { type Clock, CulvertError, type Log, type Random } from "../base/index.ts";
import { type NodeId, nodeIdText } from "../identity/index.ts";
import { ByteConnection } from "../io/byte-connection.ts";
import type { Link, LinkHost } from "../link/index.ts";
import {
  connectMapBy,
  type DialNode,
  type LinkOpener,
  MapSessions,
  type MapSessionsComponents,
  type RemoteMap,
} from "../mapservice/index.ts";
import { sourceOf } from "./link-source.ts";

/** The protocol of the streams that carry the Map's own wire. */
export const MAP_PROTOCOL = "map";

/** Nodes whose Map is kept at hand; the longest unused one is let go. */
const MAPS_MAX = 64;

/** Serves the Map over every stream that asks for it. */
export function serveMapOverLinks(
  host: LinkHost,
  components: Omit<MapSessionsComponents, "unsentBytesOfAll" | "service"> & {
    readonly service: LinkOpener;
  },
  options: ConstructorParameters<typeof MapSessions>[1],
): MapSessions {
  const open = new Set<ByteConnection>();
  const unsentBytesOfAll = (): number => {
    let bytes = 0;
    for (const connection of open) bytes += connection.unsentBytes;
    return bytes;
  };
  const sessions = new MapSessions({ ...components, unsentBytesOfAll }, options);
  host.handle(MAP_PROTOCOL, (stream, link) => {
    const connection = new ByteConnection(stream, components.clock);
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

/** The Maps of other nodes, one connection each, made when it is needed. */
export class MapPeers {
  readonly #linkTo: (id: NodeId) => Promise<Link>;
  readonly #components: MapPeersComponents;
  readonly #maps = new Map<string, Promise<RemoteMap>>();
  #isClosed = false;

  /** @param linkTo an open link to a node, or a failure with a code */
  constructor(linkTo: (id: NodeId) => Promise<Link>, components: MapPeersComponents) {
    this.#linkTo = linkTo;
    this.#components = components;
  }

  /**
   * The Map of a node.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY`, `CULVERT_PROTOCOL`,
   *   `CULVERT_WRONG_PEER`
   */
  async of(id: NodeId): Promise<RemoteMap> {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    const key = nodeIdText(id);
    const known = this.#maps.get(key);
    const map = known ?? this.#connect(id, key);
    this.#maps.delete(key);
    this.#maps.set(key, map);
    this.#letGo();
    return await map;
  }

  /** Ends every connection; what is open fails with `CULVERT_CLOSED`. */
  close(): void {
    this.#isClosed = true;
    for (const map of this.#maps.values()) end(map);
    this.#maps.clear();
  }

  #connect(id: NodeId, key: string): Promise<RemoteMap> {
    const { log, ...components } = this.#components;
    const dial = mapDialler(() => this.#linkTo(id), components.clock);
    const map = connectMapBy(dial, { components, ...(log && { log }) });
    map.catch(() => {
      if (this.#maps.get(key) === map) this.#maps.delete(key);
    });
    return map;
  }

  #letGo(): void {
    const [oldest] = this.#maps;
    if (oldest === undefined || this.#maps.size <= MAPS_MAX) return;
    this.#maps.delete(oldest[0]);
    end(oldest[1]);
  }
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
          connection = new ByteConnection(stream, clock);
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
