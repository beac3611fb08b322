import type { Stream } from "../../stream/index.ts";
import type { Context } from "../context.ts";
import { explain } from "../failure.ts";
import type { Session } from "../session/session.ts";
import type { SessionRecord, Standstill } from "../session/session-record.ts";
import { leaveWord } from "../session/stream-run.ts";
import { NameTaken } from "./name-taken.ts";

/**
 * Why a receiver has stopped that may be run again and go on, each with the byte that tells its
 * sender, on the way on which nothing else goes.
 */
const BYTES: Readonly<Record<Standstill["reason"], number>> = { taken: 1, disk: 2, lost: 3 };

const WORDS: Readonly<Record<Standstill["reason"], string>> = {
  taken: "the other side has files of these names, and has not replaced them; it may still do so",
  disk: "the other side could not write the files; it may go on, with room for them or elsewhere",
  lost: "the other side no longer finds what it had received; without that, only --new sends it",
};

/** What its sender says of it. */
export function describeStandstill(reason: Standstill["reason"]): string {
  return WORDS[reason];
}

/** Why whoever hears of this error should not wait in the dark; `undefined` for other errors. */
export function standstillOf(error: unknown): Standstill["reason"] | undefined {
  if (error instanceof NameTaken) return "taken";
  const { code } = explain(error);
  if (code === "CULVERT_BAD_STATE") return "lost";
  return code === "CULVERT_FILE" ? "disk" : undefined;
}

/** Tells the sender, and waits for a while until that is in the Map. */
export async function tellStandstill(
  context: Pick<Context, "clock" | "stop">,
  stream: Stream,
  reason: Standstill["reason"],
): Promise<void> {
  stream.write(Uint8Array.of(BYTES[reason]));
  await leaveWord(context, stream);
}

/**
 * Says, once for each reason, why the receiver has stopped: what it tells from now on, and what it
 * told an earlier run if nothing has been acknowledged since. The record has the last of it.
 */
export function hearStandstills(
  { output }: Pick<Context, "output">,
  { session, stream }: { session: Session; stream: Stream },
): void {
  const told = new Set<Standstill["reason"]>();
  const tell = (reason: Standstill["reason"]): void => {
    if (told.has(reason)) return;
    told.add(reason);
    output.warn("CULVERT_FILE", WORDS[reason]);
  };
  const known = standstillNow(session.record, stream.progress().acknowledgedBytes);
  if (known !== undefined) tell(known);
  stream.on("data", (bytes: Uint8Array) => {
    const last = bytes.at(-1);
    const reason = (Object.keys(BYTES) as Standstill["reason"][]).find((r) => BYTES[r] === last);
    if (reason === undefined) return; // of a later version
    const atBytes = stream.progress().acknowledgedBytes;
    session.save({ standstill: { reason, atBytes } }).catch(() => undefined);
    tell(reason);
  });
}

/** Why the receiver stands still, unless it has acknowledged more since it said so. */
export function standstillNow(
  { standstill }: Pick<SessionRecord, "standstill">,
  acknowledgedBytes: number,
): Standstill["reason"] | undefined {
  const isPast = standstill === undefined || acknowledgedBytes > standstill.atBytes;
  return isPast ? undefined : standstill.reason;
}
