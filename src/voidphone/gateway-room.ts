import { Counts, type Log } from "../base/index.ts";
import type { ByteConnection } from "../io/byte-connection.ts";
import { systemClock } from "../io/clock.ts";
import { lastOfMost } from "../retx/index.ts";
import { type Gateway, Session } from "./session.ts";
import type { SessionEnd } from "./session-core.ts";

/** Sessions since the start, and why those that are over ended. */
export interface VoidphoneServerStatistics extends Readonly<Record<SessionEnd, number>> {
  readonly sessions: number;
  /** Connections that were over a limit. */
  readonly refused: number;
}

/**
 * The sessions of one server, and who they belong to. Where all places are taken a client that has
 * not asked for anything yet gives way, the one that came first of whoever has most of them; then,
 * to a source that has fewer, the last one that waits for nothing of whoever has most. So nobody is
 * kept out by connections that say nothing.
 */
export class GatewayRoom<Request> {
  readonly #gateway: Gateway<Request>;
  readonly #log: Log;
  /** In the order in which they came. */
  readonly #sessions = new Set<Session<Request>>();
  readonly #ofSource = new Counts();
  readonly #counts = { sessions: 0, refused: 0 };
  readonly #ends: Record<SessionEnd, number> = {
    protocol: 0,
    "slow-reader": 0,
    timeout: 0,
    idle: 0,
    finished: 0,
    gone: 0,
    displaced: 0,
  };

  constructor(gateway: Gateway<Request>, log: Log) {
    this.#gateway = gateway;
    this.#log = log;
  }

  /** Serves a new connection, or cuts it when there is no room. */
  admit(
    connection: ByteConnection,
    from: { readonly source: string; readonly remoteHost: string },
  ): void {
    const { source } = from;
    if (!this.#hasRoomFor(source)) {
      this.#counts.refused += 1;
      connection.close(true);
      return;
    }
    this.#ofSource.add(source);
    this.#counts.sessions += 1;
    let parts = 2;
    // Its session may be over while the client does not leave, or go on when it has left.
    const part = (): void => {
      parts -= 1;
      if (parts === 0) this.#ofSource.remove(source);
    };
    const session = new Session<Request>(
      {
        gateway: this.#gateway,
        clock: systemClock,
        port: connection,
        log: this.#log,
        onEnd: (reason) => {
          this.#ended(session, reason);
          part();
        },
      },
      from,
    );
    this.#sessions.add(session);
    connection.start({
      receive: (bytes) => session.receive(bytes),
      drained: () => session.drained(),
      closed: () => {
        session.closed();
        part();
      },
    });
  }

  statistics(): VoidphoneServerStatistics {
    return { ...this.#counts, ...this.#ends };
  }

  /** Ends every session after what it has said. */
  finish(): void {
    for (const session of this.#sessions) session.finish();
  }

  #hasRoomFor(source: string): boolean {
    const { connectionsMax, connectionsPerSourceMax } = this.#gateway.limits;
    const isFullFor = this.#ofSource.of(source) >= connectionsPerSourceMax;
    if (!isFullFor && this.#sessions.size < connectionsMax) return true;
    // Who came to hear asks for nothing, and is no less there for it.
    if (this.#gateway.dialect.hasListeners === true) return false;
    const all = [...this.#sessions];
    const silent = all.filter(({ hasSpoken }) => !hasSpoken);
    if (isFullFor) return this.#displace(silent.find((session) => session.source === source));
    const idle = all.filter(({ isServing }) => !isServing);
    return this.#displace(firstOfMost(silent) ?? lastOfMost(idle, source, sourceOf));
  }

  #displace(session: Session<Request> | undefined): boolean {
    session?.displace();
    return session !== undefined;
  }

  #ended(session: Session<Request>, reason: SessionEnd): void {
    this.#sessions.delete(session);
    this.#ends[reason] += 1;
  }
}

type OfSource = Pick<Session<unknown>, "source">;

function sourceOf({ source }: OfSource): string {
  return source;
}

/** The first session of the source that has most of these. */
function firstOfMost<Kind extends OfSource>(sessions: readonly Kind[]): Kind | undefined {
  const counts = new Counts();
  for (const { source } of sessions) counts.add(source);
  let found: Kind | undefined;
  for (const session of sessions) {
    const isMore = counts.of(session.source) > counts.of(found?.source ?? "");
    if (found === undefined || isMore) found = session;
  }
  return found;
}
