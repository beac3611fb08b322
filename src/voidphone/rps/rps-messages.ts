import { requireArray, requireObject, requireWhole } from "../../base/index.ts";
import { ipFlags, readIp, writeIp } from "../ip-field.ts";
import {
  encodeMessage,
  openMessage,
  readRest,
  requireFilled,
  MESSAGE_TYPES as T,
} from "../message.ts";

/** On which port a peer runs one of its modules. */
export interface PortMapping {
  /** The module's number: 500 gossip, 540 RPS, 560 onion, 650 DHT. */
  readonly app: number;
  readonly port: number;
}

/** A random peer, as the module for random peer sampling names it. */
export interface SampledPeer {
  /** An IP address in its shortest text form. */
  readonly host: string;
  /** Of its module for random peer sampling. */
  readonly port: number;
  /** 255 at the most. */
  readonly portMappings: readonly PortMapping[];
  /** At least one byte. */
  readonly hostKey: Uint8Array;
}

/** Asks for a random peer: a header, and nothing else. */
export function encodeRpsQuery(): Uint8Array {
  return encodeMessage(T.rpsQuery, () => {});
}

/** @throws CulvertError `CULVERT_PROTOCOL` when it is no query */
export function readRpsQuery(message: Uint8Array): { readonly kind: "query" } {
  const { type, body } = openMessage(message);
  if (type !== T.rpsQuery) body.refuse("type", `${type} is no request of the RPS API`);
  body.expectEnd();
  return { kind: "query" };
}

/**
 * @throws CulvertError `CULVERT_TOO_LARGE` when the key does not fit
 * @throws TypeError and RangeError for what is no peer
 */
export function encodeRpsPeer(peer: SampledPeer): Uint8Array {
  requireObject("a peer", peer);
  requireWhole("a port", peer.port, 0, 65_535);
  requireArray("portMappings", peer.portMappings);
  for (const mapping of peer.portMappings) requireObject("a port mapping", mapping);
  requireFilled("a host key", peer.hostKey);
  return encodeMessage(T.rpsPeer, (writer) => {
    writer.u16(peer.port).u8(peer.portMappings.length);
    writer.u8(ipFlags(peer.host));
    for (const { app, port } of peer.portMappings) writer.u16(app).u16(port);
    writeIp(writer, peer.host);
    writer.bytes(peer.hostKey);
  });
}

/** @throws CulvertError `CULVERT_PROTOCOL` when it is no peer */
export function readRpsPeer(message: Uint8Array): SampledPeer {
  const { type, body } = openMessage(message);
  if (type !== T.rpsPeer) body.refuse("type", `${type} is no answer of the RPS API`);
  const port = body.u16("port");
  const count = body.u8("portmaps");
  const flags = body.u8("flags");
  const portMappings = Array.from({ length: count }, () => ({
    app: body.u16("app"),
    port: body.u16("app's port"),
  }));
  const host = readIp(body, flags);
  return { host, port, portMappings, hostKey: readRest(body, "hostKey") };
}
