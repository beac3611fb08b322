import { CulvertError, equalBytes, type Log, utf8 } from "../../base/index.ts";
import { type CertificateIdentity, readCertificate, readIdentity } from "../../io/certificate.ts";
import { systemClock } from "../../io/clock.ts";
import { readState, writeDurably } from "../../io/durable-file.ts";
import { peerCertificate } from "../../voidphone/index.ts";

const CERTIFICATE_FILE = "voidphone.pem";

/**
 * Introduces a node to peers of the dialect `final` with the same certificate in each run, also
 * when it has another address. They remember it by the node's id, take who comes with another one
 * for an impostor, and never look at the address in it.
 *
 * @param directory where it is kept; without one it is that of this run alone
 * @returns what gives the certificate, and fails with `CULVERT_FILE` when it cannot be read, with
 *   `CULVERT_BAD_STATE` when it is damaged
 */
export function keptCertificate(
  directory: string | undefined,
  log: Log,
): (self: { readonly id: Uint8Array; readonly host: string }) => Promise<CertificateIdentity> {
  if (directory === undefined) return async (self) => peerCertificate(self);
  const path = `${directory}/${CERTIFICATE_FILE}`;
  return async (self) => {
    const kept = await readKept(path);
    if (kept !== undefined && isOf(kept, self.id)) return kept;
    const made = peerCertificate(self);
    try {
      await writeDurably(path, utf8(made.certificate + made.privateKey));
    } catch (error) {
      log("warn", "certificate-not-kept", { message: String(error) });
    }
    return made;
  };
}

/** The one of an earlier run, unless there is none or its time is over. */
async function readKept(path: string): Promise<CertificateIdentity | undefined> {
  const bytes = await readState(path);
  if (bytes === undefined) return undefined;
  try {
    return readIdentity(new TextDecoder().decode(bytes), systemClock.unixMs());
  } catch (cause) {
    const detail = { keyFile: path };
    throw new CulvertError("CULVERT_BAD_STATE", `${path} is damaged`, { cause, detail });
  }
}

function isOf({ certificate }: CertificateIdentity, id: Uint8Array): boolean {
  return equalBytes(readCertificate(utf8(certificate)).nodeId ?? new Uint8Array(0), id);
}
