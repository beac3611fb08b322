import { CulvertError } from "../../base/index.ts";

/** What all onion nodes of one network agree on; everything on a link has a size that follows. */
export interface OnionGeometry {
  /** Hops that a packet has room for, the destination included. */
  readonly hopsMax: number;
  /** Bytes of a one-time packet behind its header, 16 of which prove that it is unchanged. */
  readonly payloadBytes: number;
  /** Bytes of every cell of a circuit. */
  readonly cellBytes: number;
  /** Cells of every request through a circuit, and of every response. */
  readonly requestCells: number;
}

/** Five hops, and room for Map cells of 1,900 bytes in one packet, or in two cells. */
export const ONION_GEOMETRY: OnionGeometry = Object.freeze({
  hopsMax: 5,
  payloadBytes: 2_048,
  cellBytes: 1_024,
  requestCells: 2,
});

/** Bytes of the zeros that tell an unchanged payload, cell or backward unit from noise. */
export const TAG_BYTES = 16;

/** Bytes of a routing block. */
export const BLOCK_BYTES = 88;

/** Bytes of a message authentication code of a header. */
export const MAC_BYTES = 16;

/** Version, epoch, ephemeral key; the routing blocks and the MAC follow. */
const HEADER_FIXED_BYTES = 2 + 32 + MAC_BYTES;

/** Bytes of a hop's slot in the answer to a build: ephemeral key, status, confirmation. */
export const ANSWER_SLOT_BYTES = 49;

/** Tag, command, request, length: what a cell has besides its data. */
export const CELL_HEAD_BYTES = 23;

/** Hops that any network may have room for. */
const HOPS_CEILING = 64;

/** Cells that a request may have in any network. */
const REQUEST_CELLS_CEILING = 96;

/** Bytes of a header: 490 for five hops. */
export function headerBytes(geometry: OnionGeometry): number {
  return HEADER_FIXED_BYTES + geometry.hopsMax * BLOCK_BYTES;
}

/** Bytes of a one-time packet, and of a backward unit. */
export function packetBytes(geometry: OnionGeometry): number {
  return headerBytes(geometry) + geometry.payloadBytes;
}

/** Bytes of a reply block: first hop, header, key; 554 for five hops. */
export function surbBytes(geometry: OnionGeometry): number {
  return 32 + headerBytes(geometry) + 32;
}

/** Bytes of data that a cell carries: 1,001 of 1,024. */
export function cellDataBytes(geometry: OnionGeometry): number {
  return geometry.cellBytes - CELL_HEAD_BYTES;
}

/** Bytes of every request and of every response through a circuit. */
export function requestBytes(geometry: OnionGeometry): number {
  return geometry.requestCells * cellDataBytes(geometry);
}

/**
 * The geometry if it is one.
 *
 * @throws CulvertError `CULVERT_USAGE` when it leaves no room for what it has to hold
 */
export function checkedGeometry(geometry: OnionGeometry): OnionGeometry {
  const { hopsMax, payloadBytes, cellBytes, requestCells } = geometry;
  const isWhole = Object.values(geometry).every(Number.isSafeInteger);
  if (!isWhole || hopsMax < 1 || hopsMax > HOPS_CEILING) {
    throw new CulvertError("CULVERT_USAGE", `onion hops are 1 to ${HOPS_CEILING}`);
  }
  if (payloadBytes < 64 || payloadBytes > 65_535) {
    throw new CulvertError("CULVERT_USAGE", "an onion payload has 64 to 65,535 bytes");
  }
  if (cellBytes < Math.max(64, hopsMax * ANSWER_SLOT_BYTES) || cellBytes > 65_535) {
    throw new CulvertError("CULVERT_USAGE", "an onion cell has room for the answer to a build");
  }
  if (requestCells < 1 || requestCells > REQUEST_CELLS_CEILING) {
    throw new CulvertError("CULVERT_USAGE", `a request has 1 to ${REQUEST_CELLS_CEILING} cells`);
  }
  return geometry;
}
