import type { Socket } from "node:net";
import { connect, createSecureContext, TLSSocket } from "node:tls";
import { type Cancel, CulvertError, concatBytes, equalBytes, onAbort } from "../base/index.ts";
import { ByteConnection } from "./byte-connection.ts";
import {
  CERTIFICATE_BYTES_MAX,
  type CertificateIdentity,
  type ForeignCertificate,
  readCertificate,
} from "./certificate.ts";
import { connectSocket, settled } from "./connect-socket.ts";
import type { Endpoint } from "./endpoint.ts";

/** A connection, and the certificate that its other side has proven to be the owner of. */
export interface PrefacedConnection {
  readonly connection: ByteConnection;
  readonly certificate: ForeignCertificate;
}

const PREFIX_BYTES = 4;

/**
 * The listener's half of TLS 1.3 behind a preface: it sends its certificate in clear, u32 length
 * and PEM, then shakes hands as the server and asks for no certificate.
 *
 * @returns what `ByteServer` wraps its sockets with
 */
export function prefacedTls(identity: CertificateIdentity): (socket: Socket) => Socket {
  const { certificate, privateKey } = identity;
  const minVersion = "TLSv1.3";
  const secureContext = createSecureContext({ cert: certificate, key: privateKey, minVersion });
  const text = Buffer.from(certificate);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(text.length);
  const preface = Buffer.concat([prefix, text]);
  return (socket) => {
    // The error comes out of what wraps the socket too.
    socket.on("error", () => {});
    socket.write(preface);
    return new TLSSocket(socket, { isServer: true, secureContext, requestCert: false });
  };
}

/**
 * The dialler's half: reads the certificate, shakes hands, and makes sure that it is this
 * certificate's owner who answers. Who that is, nobody vouches for.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE`, or `CULVERT_PROTOCOL` for a preface that is none;
 *   Error with the name `AbortError`
 */
export async function connectPrefacedTls(
  endpoint: Endpoint,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<PrefacedConnection> {
  const { signal } = options;
  const socket = await connectSocket(endpoint, signal);
  try {
    const certificate = readCertificate(await readPreface(socket, signal));
    const secure = connect({ socket, minVersion: "TLSv1.3", rejectUnauthorized: false });
    await settled(secure, { event: "secureConnect", failure: "the connection failed", signal });
    const shown = secure.getPeerX509Certificate()?.raw;
    if (shown === undefined || !equalBytes(shown, certificate.der)) {
      throw new CulvertError("CULVERT_PROTOCOL", "the handshake shows another certificate");
    }
    return { connection: new ByteConnection(secure), certificate };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Reads exactly the preface: whatever comes behind it belongs to TLS. */
function readPreface(socket: Socket, signal?: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let bytes: Uint8Array = new Uint8Array(0);
    let forget: Cancel = () => {};
    const settle = (outcome: Uint8Array | Error): void => {
      forget();
      socket.pause();
      socket.off("data", onData);
      socket.off("close", onClose);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    const onData = (chunk: Uint8Array): void => {
      bytes = concatBytes(bytes, chunk);
      const outcome = prefaceIn(bytes);
      if (outcome !== undefined) settle(outcome);
    };
    const onClose = (): void =>
      settle(new CulvertError("CULVERT_UNREACHABLE", "the connection ended within its preface"));
    socket.on("data", onData);
    socket.on("close", onClose);
    forget = onAbort(signal, settle);
  });
}

/** The certificate in a preface; an error when it is none; `undefined` while it is not all here. */
export function prefaceIn(bytes: Uint8Array): Uint8Array | CulvertError | undefined {
  if (bytes.length < PREFIX_BYTES) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (length === 0 || length > CERTIFICATE_BYTES_MAX) {
    return new CulvertError("CULVERT_PROTOCOL", `a certificate of ${length} bytes`);
  }
  const end = PREFIX_BYTES + length;
  if (bytes.length < end) return undefined;
  if (bytes.length === end) return bytes.subarray(PREFIX_BYTES);
  return new CulvertError("CULVERT_PROTOCOL", "a server speaks before it is spoken to");
}
