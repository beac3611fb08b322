import type { CulvertError } from "../../src/base/index.ts";
import {
  type MapGreeting,
  MapSession,
  type RecordService,
  SESSION_LIMITS,
  ServiceCarrier,
  type ServiceCarrierLimits,
  type SessionLimits,
  type SessionStatistics,
  WireRequester,
} from "../../src/mapservice/index.ts";
import { noSessionStatistics } from "../../src/mapservice/wire/map-session.ts";
import type { VirtualClock } from "../../src/testing/index.ts";

/** A connection's end at the node, with nothing behind it: remembers what it was told to do. */
export class FakePort {
  readonly written: Uint8Array[] = [];
  unsentBytes = 0;
  unsentElsewhere = 0;
  isReading = true;
  closed: "gently" | "abruptly" | undefined;

  write(bytes: Uint8Array): void {
    this.written.push(bytes);
  }

  unsentBytesOfAll(): number {
    return this.unsentBytes + this.unsentElsewhere;
  }

  setReading(isReading: boolean): void {
    this.isReading = isReading;
  }

  close(isAbrupt: boolean): void {
    this.closed = isAbrupt ? "abruptly" : "gently";
  }
}

/** A client and a node, joined by a wire that delivers at once and in pieces of some bytes. */
export interface Wire {
  readonly carrier: ServiceCarrier;
  readonly session: MapSession;
  readonly statistics: SessionStatistics;
  /** Why the connection broke, if it did. */
  brokenBy(): CulvertError | undefined;
  /** Loses the connection, as a network does. */
  cut(): void;
}

/** Joins a client to a service; resolves when it is greeted. */
export async function wireTo(
  service: RecordService,
  clock: VirtualClock,
  options: {
    readonly pieceBytes?: number;
    readonly limits?: Partial<ServiceCarrierLimits>;
    readonly sessionLimits?: Partial<SessionLimits>;
    readonly source?: string;
    readonly onSilence?: () => void;
  } = {},
): Promise<Wire> {
  const pieceBytes = options.pieceBytes ?? 1_400;
  const statistics = noSessionStatistics();
  let brokenBy: CulvertError | undefined;
  let carrier: ServiceCarrier | undefined;
  const toClient: Uint8Array[] = [];
  let isCut = false;
  const pieces = (bytes: Uint8Array, receive: (piece: Uint8Array) => void): void => {
    for (let at = 0; at < bytes.length && !isCut; at += pieceBytes) {
      receive(bytes.slice(at, at + pieceBytes));
    }
  };
  const session = new MapSession(
    {
      service,
      clock,
      statistics,
      port: {
        write: (bytes) => {
          if (requester === undefined) toClient.push(bytes);
          else pieces(bytes, (piece) => requester?.receive(piece));
        },
        unsentBytes: 0,
        unsentBytesOfAll: () => 0,
        setReading: () => {},
        close: () => {},
      },
    },
    { source: options.source ?? "wire", limits: { ...SESSION_LIMITS, ...options.sessionLimits } },
  );
  let greeting: MapGreeting | undefined;
  let requester: WireRequester | undefined;
  requester = new WireRequester(
    {
      write: (bytes) => pieces(bytes, (piece) => session.receive(piece)),
      unsentBytes: 0,
      close: () => session.closed(),
    },
    {
      answer: (request, answer) => carrier?.events().answer(request, answer),
      ready: () => carrier?.events().ready(),
      greeted: (told) => {
        greeting = told;
      },
      broken: (error) => {
        brokenBy = error;
        carrier?.detach();
      },
    },
  );
  for (const bytes of toClient.splice(0)) pieces(bytes, (piece) => requester?.receive(piece));
  await clock.runUntil(clock.now());
  if (greeting === undefined) throw brokenBy ?? new Error("the node did not say hello");
  const { limits, onSilence } = options;
  carrier = new ServiceCarrier(
    { clock, ...(onSilence === undefined ? {} : { onSilence }) },
    { greeting, ...(limits === undefined ? {} : { limits }) },
  );
  carrier.attach(requester, greeting);
  return {
    carrier,
    session,
    statistics,
    brokenBy: () => brokenBy,
    cut: () => {
      isCut = true;
      session.closed();
      carrier?.detach();
    },
  };
}
