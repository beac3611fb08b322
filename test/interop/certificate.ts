import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** What a TLS server needs, as PEM. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/**
 * A certificate that vouches for itself (RFC 5280), of P-256, for a day around now. It is for the
 * host of that name, unless other extensions are given, as DER.
 */
export function selfSigned(
  hostName: string,
  extensions: readonly Uint8Array[] = [subjectAltName(hostName)],
): Identity {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ecdsaWithSha256 = der(0x30, oid("1.2.840.10045.4.3.2"));
  const name = der(0x30, der(0x31, der(0x30, oid("2.5.4.3"), der(0x0c, Buffer.from(hostName)))));
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(15)])),
    ecdsaWithSha256,
    name,
    der(0x30, utcTime(-12), utcTime(12)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(0x30, ...extensions)),
  );
  const signature = sign("sha256", body, privateKey);
  const bits = der(0x03, Buffer.concat([Buffer.of(0), signature]));
  const base64 = der(0x30, body, ecdsaWithSha256, bits).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  const cert = ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join(
    "\n",
  );
  return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

function subjectAltName(hostName: string): Buffer {
  const names = der(0x30, der(0x82, Buffer.from(hostName)));
  return der(0x30, oid("2.5.29.17"), der(0x04, names));
}

/** One DER element of this tag, around its parts. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const length = Buffer.of(0x82, content.length >> 8, content.length & 0xff);
  return Buffer.concat([Buffer.of(tag), length, content]);
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let high = arc >> 7; high > 0; high >>= 7) groups.unshift((high & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

function utcTime(hoursFromNow: number): Buffer {
  const iso = new Date(Date.now() + hoursFromNow * 3_600_000).toISOString();
  return der(0x17, Buffer.from(`${iso.replace(/[-:T]/g, "").slice(2, 14)}Z`));
}
