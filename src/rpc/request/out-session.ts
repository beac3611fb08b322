import type { NodeId } from "../../identity/index.ts";
import type { TimerHandle } from "../../retx/index.ts";
import { encodeEnvelope, SETTLED_NUMBERS_MAX } from "../message/envelope.ts";
import type { RequestId, RequestOrder } from "./protocol.ts";

/** A request of ours that is open. */
export interface Pending extends RequestOrder {
  readonly request: RequestId;
  readonly out: OutPeer;
  /** Peer and type: what its times are learnt for. */
  readonly place: string;
  hard: TimerHandle | undefined;
  soft: TimerHandle | undefined;
  retry: TimerHandle | undefined;
  /** What was sent, while it has a place in a session. */
  sent: SentRequest | undefined;
  /** Sessions of it that the peer did not know any more. */
  losses: number;
}

/** A request in its session. */
export interface SentRequest {
  readonly number: number;
  /** What its message says besides: each copy is written anew, the same to the bit. */
  readonly nonce: Uint8Array;
  readonly floor: number;
  readonly referenceKey: string;
  /** When its first copy was sent: only what follows is the path's time and the peer's. */
  readonly firstAt: number;
  /** Copies that were sent, and those of them that could have left this machine. */
  copies: number;
  copiesOut: number;
}

/** A hello that is not answered yet. */
export interface Hello {
  readonly nonce: Uint8Array;
  readonly referenceKey: string;
  /** When its first copy was sent, or is to be. */
  sentAt: number;
  copies: number;
  copiesOut: number;
  retry: TimerHandle | undefined;
}

/** What is known of a peer that is asked. */
export interface OutPeer {
  readonly peer: NodeId;
  readonly key: string;
  session: OutSession | undefined;
  hello: Hello | undefined;
  /** Requests that wait for a session, in the order in which they came. */
  readonly waiting: Set<Pending>;
  openCount: number;
  usedAt: number;
  settle: TimerHandle | undefined;
}

/** A session in which requests are made: their numbers, and which of them are settled. */
export class OutSession {
  readonly id: Uint8Array;
  readonly #open = new Map<number, Pending>();
  #next = 1;
  #floorSaid = 1;
  #unsaid: number[] = [];

  constructor(id: Uint8Array) {
    this.id = id;
  }

  /** Requests that are open in it, lowest number first. */
  get open(): ReadonlyMap<number, Pending> {
    return this.#open;
  }

  /** Whether a message about settled numbers is worth more than it costs. */
  get isUnsaidFull(): boolean {
    return this.#unsaid.length >= SETTLED_NUMBERS_MAX;
  }

  /** Gives a request its number; the floor that goes with it is then said. */
  enter(pending: Pending): { number: number; floor: number } {
    const number = this.#next;
    this.#next += 1;
    this.#open.set(number, pending);
    return { number, floor: this.#sayFloor() };
  }

  /** Takes a request out: the receiver may forget it, and will be told. */
  settle(number: number): void {
    if (this.#open.delete(number)) this.#unsaid.push(number);
  }

  /** Everything below is settled. Numbers enter in order, so the first is the lowest. */
  #sayFloor(): number {
    const first = this.#open.keys().next();
    const floor = first.done === true ? this.#next : first.value;
    this.#floorSaid = floor;
    if (this.#unsaid.length > 0) this.#unsaid = this.#unsaid.filter((number) => number >= floor);
    return floor;
  }

  /** What has to be said of settled numbers, or nothing if all of it was. */
  sayAll(): { floor: number; numbers: readonly number[] } | undefined {
    const saidBefore = this.#floorSaid;
    const floor = this.#sayFloor();
    const numbers = this.#unsaid.slice(0, SETTLED_NUMBERS_MAX);
    this.#unsaid = this.#unsaid.slice(SETTLED_NUMBERS_MAX);
    return numbers.length === 0 && floor === saidBefore ? undefined : { floor, numbers };
  }
}

/** The bytes of a request in its session: the same of each copy. */
export function encodeRequest(
  { hardMs, type, meta, body }: Pending,
  session: OutSession,
  { nonce, number, floor }: Pick<SentRequest, "nonce" | "number" | "floor">,
): Uint8Array {
  return encodeEnvelope({
    kind: "request",
    nonce,
    session: session.id,
    number,
    floor,
    hardMs: Math.ceil(hardMs),
    type,
    meta,
    body,
  });
}
