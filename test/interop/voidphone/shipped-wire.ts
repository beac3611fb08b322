/** What the shipped peer says and hears, read and written without a line of the product. */
export interface Heard {
  readonly type: number;
  readonly nodeId: string;
  readonly port: number;
  readonly rpcId: string;
  readonly body: Buffer;
}

/** A triple of a 672: the address as 16 bytes, in hexadecimal. */
export interface Triple {
  readonly ip: string;
  readonly port: number;
  readonly id: string;
}

/** The receive buffer of the shipped peer: what does not fit, it does not survive. */
const BUFFER_BYTES = 4_096;

/** `size | type | node id | p2p port | rpc id | body`. */
export function write(
  type: number,
  header: { readonly nodeId: string; readonly port: number; readonly rpcId: string },
  body: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(70);
  head.writeUInt16BE(70 + body.length, 0);
  head.writeUInt16BE(type, 2);
  head.write(header.nodeId, 4, "hex");
  head.writeUInt16BE(header.port, 36);
  head.write(header.rpcId, 38, "hex");
  return Buffer.concat([head, body]);
}

/** Every message in `bytes`, which must hold whole ones only so far; the rest is left over. */
export function readAll(bytes: Buffer): { heard: Heard[]; rest: Buffer } {
  const heard: Heard[] = [];
  let rest = bytes;
  while (rest.length >= 4 && rest.length >= rest.readUInt16BE(0)) {
    const size = rest.readUInt16BE(0);
    if (size > BUFFER_BYTES) throw new Error(`a message of ${size} bytes is more than it can take`);
    const message = rest.subarray(0, size);
    rest = rest.subarray(size);
    const type = message.readUInt16BE(2);
    if (type === 680) {
      heard.push({ type, nodeId: "", port: 0, rpcId: "", body: message.subarray(4) });
      continue;
    }
    if (size < 70) throw new Error(`a message of type ${type} has only ${size} bytes`);
    heard.push({
      type,
      nodeId: message.toString("hex", 4, 36),
      port: message.readUInt16BE(36),
      rpcId: message.toString("hex", 38, 70),
      body: Buffer.from(message.subarray(70)),
    });
  }
  return { heard, rest };
}

export function writeTriples(triples: readonly Triple[]): Buffer {
  return Buffer.concat(
    triples.map(({ ip, port, id }) => {
      const triple = Buffer.alloc(50);
      triple.write(ip, 0, "hex");
      triple.writeUInt16BE(port, 16);
      triple.write(id, 18, "hex");
      return triple;
    }),
  );
}

export function readTriples(body: Buffer): Triple[] {
  if (body.length % 50 !== 0) throw new Error(`${body.length} bytes are no triples`);
  return Array.from({ length: body.length / 50 }, (_, at) => {
    const triple = body.subarray(50 * at, 50 * at + 50);
    return {
      ip: triple.toString("hex", 0, 16),
      port: triple.readUInt16BE(16),
      id: triple.toString("hex", 18, 50),
    };
  });
}

/** `::ffff:a.b.c.d` or `::1` of an address that Node shows. */
export function wide(host: string): string {
  const v4 = host.replace(/^::ffff:/, "");
  if (v4 === "::1") return `${"0".repeat(30)}01`;
  const bytes = v4.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  if (bytes.length !== 4) throw new Error(`${host} is no address of this test`);
  return `${"0".repeat(20)}ffff${bytes.join("")}`;
}

/** The other way round. */
export function hostOf(ip: string): string {
  if (!ip.startsWith(`${"0".repeat(20)}ffff`)) return "::1";
  return [...Buffer.from(ip.slice(24), "hex")].join(".");
}

/** The XOR distance of two ids in hexadecimal. */
export function distance(a: string, b: string): bigint {
  return BigInt(`0x${a}`) ^ BigInt(`0x${b}`);
}
