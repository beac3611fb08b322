import { unreachable } from "../../base/index.ts";
import type { Reader } from "../../codec/index.ts";
import { ipFlags, readIp, writeIp } from "../ip-field.ts";
import { encodeMessage, openMessage, readRest, MESSAGE_TYPES as T } from "../message.ts";

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

/** @throws CulvertError `CULVERT_TOO_LARGE` when the key or the data does not fit */
export function encodeOnionRequest(request: OnionRequest): Uint8Array {
  switch (request.kind) {
    case "build": {
      const { host, port, hostKey } = request.target;
      return encodeMessage(T.onionBuild, (writer) => {
        writer.u16(ipFlags(host)).u16(port);
        writeIp(writer, host);
        writer.bytes(hostKey);
      });
    }
    case "destroy":
      return encodeMessage(T.onionDestroy, (writer) => writer.u32(request.tunnelId));
    case "data":
      return encodeTunnelData(request);
    case "cover":
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

/** @throws CulvertError `CULVERT_TOO_LARGE` when the key or the data does not fit */
export function encodeOnionNotice(notice: OnionNotice): Uint8Array {
  const { kind, tunnelId } = notice;
  switch (kind) {
    case "ready":
      return encodeMessage(T.onionReady, (writer) => writer.u32(tunnelId).bytes(notice.hostKey));
    case "incoming":
      return encodeMessage(T.onionIncoming, (writer) => writer.u32(tunnelId));
    case "data":
      return encodeTunnelData(notice);
    case "error":
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
  return encodeMessage(T.onionData, (writer) => writer.u32(tunnelId).bytes(data));
}
