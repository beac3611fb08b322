import type { Clock } from "../base/index.ts";
import type { BroadcastProgress, StreamProgress, SubscriptionProgress } from "../stream/index.ts";
import type { ProgressSample } from "./progress.ts";

/** What a sender tells of a stream: how far its own bytes are. */
export function sentSample(
  progress: StreamProgress,
  options: { clock: Clock; totalBytes?: number },
): ProgressSample {
  const { writtenBytes, storedBytes, acknowledgedBytes } = progress;
  return {
    steps: { written: writtenBytes, stored: storedBytes, acknowledged: acknowledgedBytes },
    ...common(progress, options.clock),
    totalBytes: options.totalBytes,
  };
}

/** What a receiver tells of a stream: how far the other side's bytes are. */
export function receivedSample(
  progress: StreamProgress,
  options: { clock: Clock; totalBytes?: number | undefined },
): ProgressSample {
  return {
    steps: { received: progress.deliveredBytes, saved: progress.takenBytes },
    ...common(progress, options.clock),
    totalBytes: options.totalBytes,
  };
}

function common(progress: StreamProgress, clock: Clock): Omit<ProgressSample, "steps"> {
  const { roundTripMs, retransmissions, peerHeardAt, expiresAt } = progress;
  const now = clock.now();
  return {
    roundTripMs,
    retransmissions,
    loss: lossOf(progress),
    heardMsAgo: peerHeardAt === undefined ? undefined : now - peerHeardAt,
    expiresInMs: Number.isFinite(expiresAt) ? expiresAt - now : undefined,
  };
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

/** What a subscription tells. */
export function subscriptionSample(progress: SubscriptionProgress): ProgressSample {
  const { deliveredBytes, takenBytes, roundTripMs } = progress;
  return {
    steps: { received: deliveredBytes, saved: takenBytes },
    roundTripMs,
    retransmissions: 0,
  };
}

/** Share of requests that are overdue or lost, once one was. */
function lossOf({ answers, timeouts }: { answers: number; timeouts: number }): number | undefined {
  return timeouts === 0 ? undefined : timeouts / (answers + timeouts);
}
