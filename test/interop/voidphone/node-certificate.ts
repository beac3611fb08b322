import { X509Certificate } from "node:crypto";
import { selfSigned } from "../certificate.ts";
import { wide } from "./shipped-wire.ts";

/** A certificate of the shipped peer and its key, as PEM. */
export interface NodeCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/** 0.9.2342.19200300.100.1.1, as DER. */
const NODE_ID_OID = "060a0992268993f22c640101";

/** A certificate that names a node by its id and its address, as that peer makes them. */
export function nodeCertificate(id: string, host: string): NodeCertificate {
  const { cert, key } = selfSigned("voidphone", [
    Buffer.from(`302e${NODE_ID_OID}0420${id}`, "hex"),
    // A subject's alternative name: one IP address of 16 bytes.
    Buffer.from(`301b0603551d11041430128710${wide(host)}`, "hex"),
  ]);
  return { certificate: cert, privateKey: key };
}

/** The id behind the OID: the last 32 bytes of what the extension holds. */
export function nodeIdOf(pem: string): string {
  const hex = new X509Certificate(pem).raw.toString("hex");
  const at = hex.indexOf(NODE_ID_OID);
  if (at < 0) throw new Error("no node id");
  const value = hex.slice(at + NODE_ID_OID.length);
  const length = 2 * Number.parseInt(value.slice(2, 4), 16);
  return value.slice(4, 4 + length).slice(-64);
}
