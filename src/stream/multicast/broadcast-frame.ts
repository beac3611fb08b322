import { FINAL_LENGTH_BYTES } from "../frame/content.ts";
import {
  type Acknowledgement,
  type Frame,
  isSelected,
  NO_MARK,
  SELECTIVE_BITS,
} from "../frame/frame.ts";
import { Mode } from "../mode.ts";

/**
 * The name of the first field of a broadcast's frame that does not fit where it was found; the
 * first one of a reader may be the first of all.
 */
export function problemOf(frame: Frame, isFirst: boolean): string | undefined {
  const { next, credit, selective } = frame.acknowledgement;
  if (frame.type === "ack" || frame.type === "probe") return "type";
  if (frame.type === "start" && !isFirst) return "type";
  if (frame.type === "start" && frame.previous !== NO_MARK) return "previous";
  if (frame.type === "start" && frame.payload[0] !== Mode.Multicast) return "mode";
  if (frame.type === "end" && frame.payload.length < FINAL_LENGTH_BYTES) return "length";
  if (next + credit + frame.flags > 0 || selective.some((byte) => byte > 0)) return "ack";
  return undefined;
}

/** Which frames a question on a repair chain is for, counted from its `next`. */
export function wantedOffsets({ credit, selective }: Acknowledgement): number[] {
  const offsets: number[] = [];
  for (let offset = 0; offset < Math.min(credit, SELECTIVE_BITS + 1); offset++) {
    if (offset === 0 || !isSelected(selective, offset - 1)) offsets.push(offset);
  }
  return offsets;
}
