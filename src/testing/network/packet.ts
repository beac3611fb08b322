import type { Segment } from "./segment.ts";

/** Where a packet comes from or goes to: an IP address in its shortest text form, and a port. */
export interface NetworkEndpoint {
  readonly host: string;
  readonly port: number;
}

/** What a NAT tells apart. */
export type NetworkProtocol = "udp" | "tcp";

/** What travels: a datagram, or a piece of an ordered connection. */
export interface Packet {
  readonly protocol: NetworkProtocol;
  readonly source: NetworkEndpoint;
  readonly destination: NetworkEndpoint;
  /** The payload of a datagram, or the piece of a connection that its `segment` tells of. */
  readonly bytes: Uint8Array;
  readonly segment: Segment | undefined;
  /** The number of the host that sent it, whatever the source says; for partitions only. */
  readonly origin: number;
}

/** Bytes that the headers of a packet take on a line. */
const HEADER_BYTES = 40;

/** What a packet costs on a line with a bandwidth. */
export function packetBytes(packet: Packet): number {
  return HEADER_BYTES + packet.bytes.length;
}
