import type { Clock } from "../base/index.ts";
import type { StreamProgress } from "../stream/index.ts";
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
  const { roundTripMs, answers, timeouts, retransmissions, peerHeardAt, expiresAt } = progress;
  const now = clock.now();
  return {
    roundTripMs,
    retransmissions,
    loss: timeouts === 0 ? undefined : timeouts / (answers + timeouts),
    heardMsAgo: peerHeardAt === undefined ? undefined : now - peerHeardAt,
    expiresInMs: Number.isFinite(expiresAt) ? expiresAt - now : undefined,
  };
}
