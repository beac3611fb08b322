import {
  requireBytes,
  requireObject,
  requireOneOf,
  requireWhole,
  unreachable,
} from "../../base/index.ts";
import type { Reader } from "../../codec/index.ts";
import { ipFlags, readIp, writeIp } from "../ip-field.ts";
import {
  encodeMessage,
  openMessage,
  readRest,
  requireFilled,
  requireKind,
  MESSAGE_TYPES as T,
} from "../message.ts";

/** The far end of a tunnel, as a client names it. */
export interface TunnelTarget {
  /** An IP address in its shortest text form. */
  readonly host: string;
  /** Of the other side's onion module; nothing here keeps it from being 0. */
  readonly port: number;
  /** At least one byte; never looked into, and echoed unchanged. */
  readonly hostKey: Uint8Array;
}

/** What a client asks of the onion module. Bytes are views of the message. */
export type OnionRequest =
  | { readonly kind: "build"; readonly target: TunnelTarget }
  | { readonly kind: "destroy"; readonly tunnelId: number }
  | { readonly kind: "data"; readonly tunnelId: number; readonly data: Uint8Array }
  | { readonly kind: "cover"; readonly coverBytes: number };

/** What the onion module tells a client. Bytes are views of the message. */
export type OnionNotice =
  | { readonly kind: "ready"; readonly tunnelId: number; readonly hostKey: Uint8Array }
  | { readonly kind: "incoming"; readonly tunnelId: number }
  | { readonly kind: "data"; readonly tunnelId: number; readonly data: Uint8Array }
  | {
      readonly kind: "error";
      /** What failed. */
      readonly request: OnionRequest["kind"];
      /** 0 when there is no tunnel to it. */
      readonly tunnelId: number;
    };

/** The longest data of one 564. */
export const TUNNEL_DATA_BYTES_MAX = 65_527;

const REQUEST_TYPES: Readonly<Record<OnionRequest["kind"], number>> = {
  build: T.onionBuild,
  destroy: T.onionDestroy,
  data: T.onionData,
  cover: T.onionCover,
};

const REQUEST_KINDS = Object.keys(REQUEST_TYPES);
const NOTICE_KINDS = ["ready", "incoming", "data", "error"];

/**
 * @throws CulvertError `CULVERT_TOO_LARGE` when the key or the data does not fit
 * @throws TypeError and RangeError for what is no request
 */
export function encodeOnionRequest(request: OnionRequest): Uint8Array {
  requireKind("a request", request, REQUEST_KINDS);
  switch (request.kind) {
    case "build": {
      requireObject("target", request.target);
      const { host, port, hostKey } = request.target;
      requireWhole("a port", port, 0, 65_535);
      requireFilled("a host key", hostKey);
      return encodeMessage(T.onionBuild, (writer) => {
        writer.u16(ipFlags(host)).u16(port);
        writeIp(writer, host);
        writer.bytes(hostKey);
      });
    }
    case "destroy":
      requireTunnel(request.tunnelId);
      return encodeMessage(T.onionDestroy, (writer) => writer.u32(request.tunnelId));
    case "data":
      return encodeTunnelData(request);
    case "cover":
      requireWhole("coverBytes", request.coverBytes, 0, 65_535);
      return encodeMessage(T.onionCover, (writer) => writer.u16(request.coverBytes).u16(0));
    default:
      return unreachable(request);
  }
}

/** @throws CulvertError `CULVERT_PROTOCOL` when it is no request of the onion API */
export function readOnionRequest(message: Uint8Array): OnionRequest {
  const { type, body } = openMessage(message);
  const request = readRequestBody(type, body);
  body.expectEnd();
  return request;
}

/**
 * @throws CulvertError `CULVERT_TOO_LARGE` when the key or the data does not fit
 * @throws TypeError and RangeError for what is no notice
 */
export function encodeOnionNotice(notice: OnionNotice): Uint8Array {
  requireKind("a notice", notice, NOTICE_KINDS);
  const { kind, tunnelId } = notice;
  requireTunnel(tunnelId);
  switch (kind) {
    case "ready":
      requireFilled("a host key", notice.hostKey);
      return encodeMessage(T.onionReady, (writer) => writer.u32(tunnelId).bytes(notice.hostKey));
    case "incoming":
      return encodeMessage(T.onionIncoming, (writer) => writer.u32(tunnelId));
    case "data":
      return encodeTunnelData(notice);
    case "error":
      requireOneOf("request", notice.request, REQUEST_KINDS);
      return encodeMessage(T.onionError, (writer) => {
        writer.u16(REQUEST_TYPES[notice.request]).u16(0).u32(tunnelId);
      });
    default:
      return unreachable(kind);
  }
}

/** @throws CulvertError `CULVERT_PROTOCOL` when it is nothing that the onion API says */
export function readOnionNotice(message: Uint8Array): OnionNotice {
  const { type, body } = openMessage(message);
  const notice = readNoticeBody(type, body);
  body.expectEnd();
  return notice;
}

function readRequestBody(type: number, body: Reader): OnionRequest {
  switch (type) {
    case T.onionBuild: {
      const flags = body.u16("flags");
      const port = body.u16("port");
      const host = readIp(body, flags);
      return { kind: "build", target: { host, port, hostKey: readRest(body, "hostKey") } };
    }
    case T.onionDestroy:
      return { kind: "destroy", tunnelId: body.u32("tunnelId") };
    case T.onionData:
      return { kind: "data", tunnelId: body.u32("tunnelId"), data: body.rest() };
    case T.onionCover: {
      const coverBytes = body.u16("cover size");
      body.u16("reserved");
      return { kind: "cover", coverBytes };
    }
    default:
      return body.refuse("type", `${type} is no request of the onion API`);
  }
}

function readNoticeBody(type: number, body: Reader): OnionNotice {
  switch (type) {
    case T.onionReady: {
      const tunnelId = body.u32("tunnelId");
      return { kind: "ready", tunnelId, hostKey: readRest(body, "hostKey") };
    }
    case T.onionIncoming:
      return { kind: "incoming", tunnelId: body.u32("tunnelId") };
    case T.onionData:
      return { kind: "data", tunnelId: body.u32("tunnelId"), data: body.rest() };
    case T.onionError: {
      const failed = body.u16("request type");
      body.u16("reserved");
      const tunnelId = body.u32("tunnelId");
      for (const kind of ["build", "destroy", "data", "cover"] as const) {
        if (REQUEST_TYPES[kind] === failed) return { kind: "error", request: kind, tunnelId };
      }
      return body.refuse("request type", `${failed} is no request`);
    }
    default:
      return body.refuse("type", `${type} is nothing that the onion API says`);
  }
}

function encodeTunnelData({ tunnelId, data }: OnionRequest & { kind: "data" }): Uint8Array {
  requireTunnel(tunnelId);
  requireBytes("data", data);
  return encodeMessage(T.onionData, (writer) => writer.u32(tunnelId).bytes(data));
}

function requireTunnel(tunnelId: number): void {
  requireWhole("a tunnel's id", tunnelId, 0, 2 ** 32 - 1);
}
