import type { ErrorCode, Instant, Random } from "../../base/index.ts";
import type { ReadCapability, WriteCapability } from "../../crypto/index.ts";
import { ackDelayMs } from "../acks/ack-delay.ts";
import { AckReader } from "../acks/ack-reader.ts";
import { AckTrail } from "../acks/ack-trail.ts";
import { AckWriter } from "../acks/ack-writer.ts";
import type { CoreIo } from "../exchange/outcome.ts";
import type { AckContent, Frame } from "../frame/frame.ts";
import { ACK_CONTEXT, DATA_CONTEXT, keysFrom } from "../frame/frame-keys.ts";
import { Mode } from "../mode.ts";
import type { StreamOptions } from "../options.ts";
import { ReceiverCore } from "../receiver/receiver-core.ts";
import { SenderCore } from "../sender/sender-core.ts";
import type { StreamState } from "../state.ts";

/** What a stream core is made of. */
export interface StreamCoreInit {
  /** What this side writes under, at its first index. */
  readonly write: WriteCapability;
  /** What this side reads, at its first index. */
  readonly read: ReadCapability;
  readonly cellBytes: number;
  readonly random: Random;
  readonly options: StreamOptions;
  /** Where an earlier session stopped. Its capabilities are the ones of the state. */
  readonly state?: StreamState;
  /** What the state counts as waiting for a frame, and as begun. */
  readonly waiting?: Uint8Array;
  readonly begun?: readonly Uint8Array[];
}

/** What the parts tell the core that they belong to. */
export interface CoreHooks {
  /** What is to be said now about the peer's frames; calling it counts as having said it. */
  readonly acknowledge: () => AckContent;
  /** A frame of the peer was opened; `newest` when it is certain to be its latest word. */
  readonly onFrame: (frame: Frame, newest: boolean, now: Instant) => void;
  readonly warn: (code: ErrorCode, message: string) => void;
  readonly fail: (code: ErrorCode, message: string) => void;
}

/** The four machines that make up one end of a stream. */
export interface CoreParts {
  readonly sender: SenderCore;
  readonly receiver: ReceiverCore;
  readonly ackWriter: AckWriter;
  readonly ackReader: AckReader;
}

/** Makes the machines, each with its chain, from the beginning or from saved state. */
export function makeCoreParts(init: StreamCoreInit, io: CoreIo, hooks: CoreHooks): CoreParts {
  // No machine keeps a chain but the one that it moves on and wipes behind itself.
  const { state, write, read, ...given } = init;
  const { options } = given;
  const shared = { ...given, ...hooks, ...io };
  const ackWriter = new AckWriter(
    { ...shared, keys: keysFrom(write.chain.ackChain(), ACK_CONTEXT, state?.ackWriter) },
    state?.ackWriter,
  );
  const ackReader = new AckReader(
    {
      ...shared,
      keys: keysFrom(read.chain.ackChain(), ACK_CONTEXT, state?.ackReader),
      quietAskMsMax: Math.max(options.quietAskMsMax, options.paceMeanMs * options.ackEveryFrames),
      onAck: (frame, now) => hooks.onFrame(frame, true, now),
      onSpoiled: () => hooks.warn("CULVERT_DECRYPT_FAILED", "an ack did not open"),
    },
    state?.ackReader,
  );
  const trail = new AckTrail(ackWriter, ackReader);
  const sender = new SenderCore(
    {
      ...shared,
      keys: keysFrom(write.chain, DATA_CONTEXT, state?.sender),
      mode: Mode.EndToEnd,
      trail: (now) => trail.tell(now),
    },
    state?.sender,
  );
  const receiver = new ReceiverCore(
    {
      ...shared,
      keys: keysFrom(read.chain, DATA_CONTEXT, state?.receiver),
      mode: Mode.EndToEnd,
      onFrame: (frame, now) => {
        hooks.onFrame(frame, false, now);
        if (trail.follow(frame, now)) sender.answer();
      },
      wantAck: (at) => ackWriter.want(at),
      ackDelayMs: () => ackDelayMs(options, io.exchange),
    },
    state?.receiver,
  );
  return { sender, receiver, ackWriter, ackReader };
}
