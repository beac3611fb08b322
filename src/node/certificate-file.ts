import { type Log, toHex, utf8 } from "../base/index.ts";
import { type CertificateIdentity, readIdentity } from "../io/certificate.ts";
import { systemClock } from "../io/clock.ts";
import { readState, writeDurably } from "../io/durable-file.ts";
import { peerCertificate } from "../voidphone/index.ts";

const CERTIFICATE_FILE = "voidphone.pem";

/** Who is introduced, and where it is reached. */
interface Self {
  readonly id: Uint8Array;
  readonly host: string;
}

/**
 * Introduces a node to peers of the dialect `final` with the same certificate in each run. They
 * remember it by the node's id, and take who comes with another one for an impostor.
 *
 * @param directory where it is kept; without one it is that of this run alone
 * @returns what gives the certificate, and fails with `CULVERT_FILE` when it cannot be read
 */
export function keptCertificate(
  directory: string | undefined,
  log: Log,
): (self: Self) => Promise<CertificateIdentity> {
  if (directory === undefined) return async (self) => peerCertificate(self);
  const path = `${directory}/${CERTIFICATE_FILE}`;
  return async (self) => {
    // What it vouches for: of another address, or another node, it is of no use.
    const title = `${toHex(self.id)} ${self.host}\n`;
    const text = new TextDecoder().decode(await readState(path));
    const kept = text.startsWith(title) ? readIdentity(text, systemClock.unixMs()) : undefined;
    if (kept !== undefined) return kept;
    const made = peerCertificate(self);
    try {
      await writeDurably(path, utf8(title + made.certificate + made.privateKey));
    } catch (error) {
      log("warn", "certificate-not-kept", { message: String(error) });
    }
    return made;
  };
}
