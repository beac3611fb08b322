import {
  requireArray,
  requireBytes,
  requireMethods,
  requireObject,
  requireOneOf,
  requireSignal,
  requireText,
  requireWhole,
} from "../base/index.ts";
import { NODE_ID_BYTES, type NodeAddress, parseIp, requireNodeAddress } from "../identity/index.ts";
import type { HostPort, PathConnection } from "./carrier/carrier.ts";
import type { AttachOptions, CloseOptions, DialTarget, UpgradePath } from "./contract.ts";

/** What a program gives to links is looked at here, before anything is begun with it. */

/** @throws TypeError, RangeError for where nothing can listen */
export function requireEndpoint(name: string, at: HostPort): void {
  requireObject(name, at);
  requireText(`the host of ${name}`, at.host);
  requireWhole(`the port of ${name}`, at.port, 0, 65_535);
}

/** @throws TypeError, RangeError for where nothing can be sent to */
export function requireDestination(name: string, to: HostPort): void {
  requireEndpoint(name, to);
  if (parseIp(to.host) === undefined) throw new RangeError(`the host of ${name} is an IP address`);
}

/** @throws TypeError, RangeError for whom nobody can dial */
export function requireTarget(target: DialTarget): void {
  requireObject("target", target);
  const { id, addresses, publicKey, signal } = target;
  requireBytes("id", id, NODE_ID_BYTES);
  requireAddresses(addresses);
  requireKey(publicKey);
  requireSignal(signal);
}

/** @throws TypeError, RangeError for what no link can be made over, or not so */
export function requireAttachable(connection: PathConnection, options: AttachOptions): void {
  requireConnection(connection, () => {
    requireObject("options", options);
    const { isInitiator, isRelayed, expectedId, publicKey, via, signal } = options;
    requireOneOf("isInitiator", isInitiator, [true, false]);
    requireOneOf("isRelayed", isRelayed, [true, false]);
    if (expectedId !== undefined) requireBytes("expectedId", expectedId, NODE_ID_BYTES);
    requireKey(publicKey);
    if (via !== undefined) requireBytes("via", via, NODE_ID_BYTES);
    requireSignal(signal);
  });
}

/** @throws TypeError, RangeError for what is no way for a link */
export function requireUpgradePath(path: UpgradePath): void {
  requireObject("path", path);
  if (!("connection" in path)) {
    requireAddresses(path.addresses);
    requireSignal(path.signal);
    return;
  }
  const { connection, isRelayed, via, signal } = path;
  requireConnection(connection, () => {
    requireOneOf("isRelayed", isRelayed, [true, false]);
    if (via !== undefined) requireBytes("via", via, NODE_ID_BYTES);
    requireSignal(signal);
  });
}

/** @throws TypeError for what does not say how to close */
export function requireCloseOptions(options: CloseOptions): void {
  requireObject("options", options);
}

/** @throws TypeError for what is no datagram, RangeError for one that is too long */
export function requireDatagram(bytes: Uint8Array, bytesMax: number): void {
  requireBytes("a datagram", bytes);
  if (bytes.length > bytesMax) throw new RangeError(`a datagram has up to ${bytesMax} bytes`);
}

/** It is handed over: where the rest of what was given is wrong, nobody else would close it. */
function requireConnection(connection: PathConnection, requireRest: () => void): void {
  requireMethods("connection", connection, "start", "write", "setReading", "close");
  try {
    requireRest();
  } catch (error) {
    connection.close(true);
    throw error;
  }
}

function requireAddresses(addresses: readonly NodeAddress[]): void {
  requireArray("addresses", addresses);
  for (const address of addresses) requireNodeAddress("an address", address);
}

function requireKey(publicKey: Uint8Array | undefined): void {
  if (publicKey !== undefined) requireBytes("publicKey", publicKey, 32);
}
