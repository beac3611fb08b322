import { requireBytes, requireWhole, unreachable } from "../../base/index.ts";
import {
  encodeMessage,
  KEY_BYTES,
  openMessage,
  readRest,
  requireKey,
  requireKind,
  MESSAGE_TYPES as T,
} from "../message.ts";

/** What a local client asks of the DHT module. Bytes are views of the message. */
export type ApiRequest =
  | {
      readonly kind: "put";
      readonly ttlSeconds: number;
      readonly replication: number;
      readonly key: Uint8Array;
      /** At least one byte. */
      readonly value: Uint8Array;
    }
  | { readonly kind: "get"; readonly key: Uint8Array };

/** What the module answers; a put is never answered. */
export type ApiReply =
  | { readonly kind: "success"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: "failure"; readonly key: Uint8Array };

/** The longest value that a 652 carries; a 650 carries four bytes less. */
export const API_VALUE_BYTES_MAX = 65_499;

/**
 * @throws CulvertError `CULVERT_TOO_LARGE` when the value does not fit
 * @throws TypeError and RangeError for what is no request
 */
export function encodeApiRequest(request: ApiRequest): Uint8Array {
  requireKind("a request", request, ["put", "get"]);
  requireKey(request.key);
  switch (request.kind) {
    case "put": {
      const { ttlSeconds, replication, key, value } = request;
      requireBytes("a value", value);
      requireWhole("a time to live", ttlSeconds, 0, 65_535);
      requireWhole("a replication", replication, 0, 255);
      return encodeMessage(T.dhtPut, (writer) => {
        writer.u16(ttlSeconds).u8(replication).u8(0).bytes(key).bytes(value);
      });
    }
    case "get":
      return encodeMessage(T.dhtGet, (writer) => writer.bytes(request.key));
    default:
      return unreachable(request);
  }
}

/** @throws CulvertError `CULVERT_PROTOCOL` when it is no request of the module API */
export function readApiRequest(message: Uint8Array): ApiRequest {
  const { type, body } = openMessage(message);
  switch (type) {
    case T.dhtPut: {
      const ttlSeconds = body.u16("ttl");
      const replication = body.u8("replication");
      body.u8("reserved");
      const key = body.bytes(KEY_BYTES, "key");
      return { kind: "put", ttlSeconds, replication, key, value: readRest(body, "value") };
    }
    case T.dhtGet: {
      const key = body.bytes(KEY_BYTES, "key");
      body.expectEnd();
      return { kind: "get", key };
    }
    default:
      return body.refuse("type", `${type} is no request of the DHT's API`);
  }
}

/**
 * @throws CulvertError `CULVERT_TOO_LARGE` when the value does not fit
 * @throws TypeError and RangeError for what is no answer
 */
export function encodeApiReply(reply: ApiReply): Uint8Array {
  requireKind("an answer", reply, ["success", "failure"]);
  requireKey(reply.key);
  switch (reply.kind) {
    case "success":
      requireBytes("a value", reply.value);
      return encodeMessage(T.dhtSuccess, (writer) => writer.bytes(reply.key).bytes(reply.value));
    case "failure":
      return encodeMessage(T.dhtFailure, (writer) => writer.bytes(reply.key));
    default:
      return unreachable(reply);
  }
}

/** @throws CulvertError `CULVERT_PROTOCOL` when it is no answer of the module API */
export function readApiReply(message: Uint8Array): ApiReply {
  const { type, body } = openMessage(message);
  if (type !== T.dhtSuccess && type !== T.dhtFailure) {
    body.refuse("type", `${type} is no answer of the DHT's API`);
  }
  const key = body.bytes(KEY_BYTES, "key");
  if (type === T.dhtSuccess) return { kind: "success", key, value: readRest(body, "value") };
  body.expectEnd();
  return { kind: "failure", key };
}
