import { equalBytes, isCulvertError } from "../../base/index.ts";
import type { MapRecord } from "../record/record.ts";
import type { RecordCarrier } from "./record-carrier.ts";

/**
 * Whether a Map that says of a put that the address holds other bytes shows these, signed by their
 * address. A conflict ends a stream, and nobody's mere word may.
 *
 * @throws CulvertError what the Map says where it does not answer now: then nothing is known
 */
export async function showsConflict(
  carrier: Pick<RecordCarrier, "get">,
  { address, seq, payload }: MapRecord,
  options: {
    readonly isGenuine: (shown: MapRecord) => boolean;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<boolean> {
  const { isGenuine, signal } = options;
  try {
    const shown = await carrier.get(address, { waitMs: 0, signal });
    const isSame = shown.seq === seq && equalBytes(shown.payload, payload);
    return !isSame && shown.seq >= seq && isGenuine(shown);
  } catch (error) {
    if (!isCulvertError(error, "CULVERT_NOT_FOUND")) throw error;
    return false;
  }
}
