import { CulvertError } from "../../base/index.ts";
import { CELL_BYTES_MAX, CELL_BYTES_MIN } from "./frame.ts";

/** @throws CulvertError `CULVERT_GEOMETRY_CHANGED` when cells of this size cannot carry frames */
export function requireGeometry(cellBytes: number): number {
  if (Number.isInteger(cellBytes) && cellBytes >= CELL_BYTES_MIN && cellBytes <= CELL_BYTES_MAX) {
    return cellBytes;
  }
  throw new CulvertError(
    "CULVERT_GEOMETRY_CHANGED",
    `cells must have ${CELL_BYTES_MIN} to ${CELL_BYTES_MAX} bytes, not ${cellBytes}`,
  );
}

/**
 * What a stream goes on over has to have cells of its size.
 *
 * @throws CulvertError `CULVERT_GEOMETRY_CHANGED`
 */
export function requireSameGeometry(
  cellBytes: number,
  { payloadSize }: { readonly payloadSize: number },
): void {
  if (payloadSize === cellBytes) return;
  const detail = { stream: cellBytes, transport: payloadSize };
  throw new CulvertError("CULVERT_GEOMETRY_CHANGED", undefined, { detail });
}
