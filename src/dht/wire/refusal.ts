import { CulvertError, type ErrorCode } from "../../base/index.ts";
import type { StoreRefusal } from "./message.ts";

const CODES = {
  stale: "CULVERT_CONFLICT",
  conflict: "CULVERT_CONFLICT",
  invalid: "CULVERT_REFUSED",
  "too-large": "CULVERT_TOO_LARGE",
  full: "CULVERT_FULL",
  token: "CULVERT_REFUSED",
} as const satisfies Record<StoreRefusal, ErrorCode>;

/** What a put is told that was refused; without a reason, nobody said anything. */
export function refusal(reason: StoreRefusal | undefined): CulvertError {
  if (reason === undefined) return new CulvertError("CULVERT_UNREACHABLE");
  return new CulvertError(CODES[reason], undefined, { remote: true, detail: { reason } });
}
