import type { NetworkGeometry } from "../../identity/index.ts";
import { ONION_GEOMETRY, type OnionGeometry, requestCellsFor } from "../../onion/index.ts";

/** The sizes of onions in a network: a cell of the Map takes as many of a circuit as it needs. */
export function onionGeometryOf({
  cellBytes: mapCellBytes,
  onionBytes: payloadBytes,
  onionHopsMax: hopsMax,
}: NetworkGeometry): OnionGeometry {
  const { cellBytes } = ONION_GEOMETRY;
  const requestCells = requestCellsFor({ cellBytes, mapCellBytes });
  return { hopsMax, payloadBytes, cellBytes, requestCells };
}

/** Whether nodes of both can work together. */
export function isSameGeometry(a: NetworkGeometry, b: NetworkGeometry): boolean {
  return (
    a.cellBytes === b.cellBytes &&
    a.onionBytes === b.onionBytes &&
    a.onionHopsMax === b.onionHopsMax
  );
}
