import { type CulvertError, type ErrorCode, isCulvertError } from "../../base/index.ts";
import { CommandError } from "../failure.ts";
import { RefusedNames } from "./staging.ts";

/** Why a receiver refuses a transfer: the code that it resets the stream with. */
export const REFUSAL = { names: 1, damaged: 2, unknown: 3, declined: 4 } as const;

const ANEW = "the same command sends it again, with a new ticket";

/** What its sender is told. */
const TOLD: Readonly<Record<number, readonly [message: string, hint: string]>> = {
  [REFUSAL.names]: [
    "the other side will not write files of these names",
    "its own message says which ones; rename them, and send them anew",
  ],
  [REFUSAL.damaged]: ["what came at the other side is not what was sent", ANEW],
  [REFUSAL.unknown]: [
    "the other side does not know this kind of transfer",
    "its own message says more; its culvert may be of another version",
  ],
  [REFUSAL.declined]: ["the other side does not want this", `ask why; ${ANEW}`],
};

/** The code for an error that nothing helps against; `undefined` if trying again may. */
export function refusalCodeOf(error: unknown): number | undefined {
  if (error instanceof RefusedNames) return REFUSAL.names;
  if (isCulvertError(error, "CULVERT_INTEGRITY")) return REFUSAL.damaged;
  return isCulvertError(error, "CULVERT_PROTOCOL") ? REFUSAL.unknown : undefined;
}

/** What its receiver says when it is asked for the same transfer again. */
const AGAIN: Readonly<Record<number, readonly [code: ErrorCode, why: string]>> = {
  [REFUSAL.names]: ["CULVERT_FILE", "its names cannot be given here"],
  [REFUSAL.damaged]: ["CULVERT_INTEGRITY", "what arrived was not what was sent"],
  [REFUSAL.unknown]: ["CULVERT_PROTOCOL", "it is no kind of transfer that is known here"],
  [REFUSAL.declined]: ["CULVERT_FILE", "with --refuse, here"],
};

/** What a receiver says of a transfer that it has refused before, with this code. */
export function refusedBefore(refusal: number): CommandError {
  const [code, why] = AGAIN[refusal] ?? ["CULVERT_INTEGRITY", "its own message said why"];
  const hint = "ask the other side to send it anew, with a new ticket";
  return new CommandError(code, `this transfer was refused before: ${why}`, hint);
}

/** What a sender says whose stream was given up; the code is the peer's, and may be any. */
export function refusedBy(error: CulvertError): CommandError {
  const { detail = {} } = error;
  const { code } = detail;
  const [message, hint] = TOLD[Number(code)] ?? [
    "the other side refused this, or gave it up",
    `its own message says why; ${ANEW}`,
  ];
  return new CommandError(error.code, message, hint, error);
}
