import { isSameNode } from "../../identity/index.ts";
import { lastOfMost } from "../../retx/index.ts";
import type { Leg } from "./leg.ts";
import type { RelayLimits } from "./limits.ts";
import type { Reservation } from "./reservation-book.ts";

/** Whether there is room for one more call; `instead` is whose call ends for it. */
export type CallRoom =
  | { readonly isThere: false }
  | { readonly isThere: true; readonly instead: Leg | undefined };

const NONE: CallRoom = { isThere: false };

/**
 * Room for a call of `caller` to the holder of `reservation`, among all legs of a relay. What the
 * holder may have, and the relay, is shared out to the networks of callers: when all of it is
 * taken, the one that has most gives up its last call to one with fewer, or a few networks could
 * keep all others from a holder for as long as they like.
 */
export function roomForCall(
  legs: Iterable<Leg>,
  { caller, reservation }: { readonly caller: Leg; readonly reservation: Reservation },
  limits: RelayLimits,
): CallRoom {
  const { peer, network } = caller;
  // Of the two legs of a circuit the caller's has the positive number.
  const calls = [...legs].filter(({ id, state }) => {
    return id > 0 && (state === "calling" || state === "joined");
  });
  const toIt = calls.filter((leg) => reservationOf(leg) === reservation);
  const isIn = (leg: Leg): boolean => leg.network === network;
  if (
    calls.filter((call) => isSameNode(call.peer, peer)).length >= limits.circuitsPerCallerMax ||
    calls.filter(isIn).length >= limits.circuitsPerNetworkMax ||
    toIt.filter(isIn).length >= limits.circuitsPerNetworkToHolderMax
  ) {
    return NONE;
  }
  const isHolderFull = reservation.circuits >= limits.circuitsPerHolderMax;
  const isFull = isHolderFull || calls.length >= limits.circuitsMax;
  if (!isFull) return { isThere: true, instead: undefined };
  const instead = lastOfMost(isHolderFull ? toIt : calls, network, (leg) => leg.network);
  return instead === undefined ? NONE : { isThere: true, instead };
}

function reservationOf({ reservation, other }: Leg): Reservation | undefined {
  return reservation ?? other?.reservation;
}
