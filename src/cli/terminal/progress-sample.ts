import type { Clock, Instant } from "../../base/index.ts";
import type {
  BroadcastProgress,
  StreamProgress,
  SubscriptionProgress,
} from "../../stream/index.ts";
import type { ProgressSample } from "./progress.ts";

/** What a sender tells of a stream: how far its own bytes are. */
export function sentSample(
  progress: StreamProgress,
  options: { clock: Clock; totalBytes?: number },
): ProgressSample {
  const { writtenBytes, storedBytes, acknowledgedBytes } = progress;
  return {
    steps: { written: writtenBytes, stored: storedBytes, acknowledged: acknowledgedBytes },
    ...common(progress, options.clock, progress.expiresAt),
    totalBytes: options.totalBytes,
  };
}

/** What a receiver tells of a stream: how far the other side's bytes are. */
export function receivedSample(
  progress: StreamProgress,
  options: { clock: Clock; totalBytes?: number | undefined },
): ProgressSample {
  const { clock, totalBytes } = options;
  const { deliveredBytes, takenBytes, peerExpiresAt } = progress;
  // What was delivered and is not saved is asked for again after a crash.
  const hasUnread = takenBytes < (totalBytes ?? deliveredBytes);
  return {
    steps: { received: deliveredBytes, saved: takenBytes },
    ...common(progress, clock, hasUnread ? peerExpiresAt : Number.POSITIVE_INFINITY),
    totalBytes,
  };
}

function common(
  progress: StreamProgress,
  clock: Clock,
  expiresAt: Instant,
): Omit<ProgressSample, "steps"> {
  const { roundTripMs, retransmissions, peerHeardAt } = progress;
  return {
    roundTripMs,
    retransmissions,
    loss: lossOf(progress),
    heardMsAgo: peerHeardAt === undefined ? undefined : clock.now() - peerHeardAt,
    expiresInMs: leftMs(expiresAt, clock),
  };
}

/** What is left until then; `undefined` when that is never. */
function leftMs(at: Instant, clock: Clock): number | undefined {
  return Number.isFinite(at) ? Math.max(at - clock.now(), 0) : undefined;
}

/** What a broadcast tells: nobody acknowledges it. */
export function broadcastSample(progress: BroadcastProgress): ProgressSample {
  const { writtenBytes, storedBytes, roundTripMs, repairs } = progress;
  return {
    steps: { written: writtenBytes, stored: storedBytes },
    roundTripMs,
    loss: lossOf(progress),
    retransmissions: repairs,
  };
}

/** What a subscription tells; of what comes behind it knows nothing before it is there. */
export function subscriptionSample(progress: SubscriptionProgress, clock: Clock): ProgressSample {
  const { deliveredBytes, takenBytes, roundTripMs, expiresAt } = progress;
  return {
    steps: { received: deliveredBytes, saved: takenBytes },
    roundTripMs,
    retransmissions: 0,
    expiresInMs: takenBytes < deliveredBytes ? leftMs(expiresAt, clock) : undefined,
  };
}

/** Share of requests that are overdue or lost, once one was. */
function lossOf({ answers, timeouts }: { answers: number; timeouts: number }): number | undefined {
  return timeouts === 0 ? undefined : timeouts / (answers + timeouts);
}
