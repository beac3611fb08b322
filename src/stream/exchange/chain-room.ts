import { CulvertError } from "../../base/index.ts";
import { CHAIN_INDEX_LIMIT } from "../frame/frame-keys.ts";

/**
 * What it is given, if frames can follow it: capabilities come from others.
 *
 * @throws CulvertError `CULVERT_BAD_CAPABILITY`
 */
export function withRoom<T extends { readonly index: bigint }>(place: T): T {
  if (place.index < CHAIN_INDEX_LIMIT) return place;
  throw new CulvertError("CULVERT_BAD_CAPABILITY", "the capability is at the end of its chain", {
    detail: { field: "index" },
  });
}
