import type { Instant } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import type { Circuit, LegId } from "./circuit.ts";
import type { RelayFrameBuffer } from "./frames.ts";
import type { Reservation } from "./reservation-book.ts";

/** What a stream of the relay is for: unknown yet, a holder's reports, one half of a circuit. */
export interface Leg {
  readonly id: LegId;
  readonly peer: NodeId;
  readonly isRelayed: boolean;
  readonly network: string;
  readonly frames: RelayFrameBuffer;
  /** Of what the relay itself has said there: what has not left. */
  unsentBytes: number;
  state: "opening" | "control" | "calling" | "dialling" | "called" | "joined";
  /** When it must have got further. */
  deadline: Instant;
  /** The other half, while a call is being answered. */
  other: Leg | undefined;
  circuit: Circuit | undefined;
  reservation: Reservation | undefined;
}
