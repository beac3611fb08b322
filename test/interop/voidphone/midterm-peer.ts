import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

const K = 20;
const NOBODY_MS = 1_000;

/** A triple of a 672: `IPv4 4 | port u16 | id 32`. */
interface Triple {
  readonly ip: string;
  readonly port: number;
  readonly id: string;
}

/** An answer: its type, and what stands behind its RPC id. */
interface Answer {
  readonly type: number;
  readonly body: Buffer;
}

/** A sha256 in hexadecimal: ids and keys are that long. */
export function midtermHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * A peer as the midterm report has it, written from its tables with Node alone: plain TCP, a
 * message is looked at once as many bytes are there as its size says, a connection is closed after
 * its answer, an answer counts that echoes the RPC id. Nothing in this dialect says who asks, so
 * whoever joined is known to nobody by that.
 */
export class MidtermPeer {
  readonly id: string = randomBytes(32).toString("hex");
  readonly values = new Map<string, { readonly value: Buffer; readonly until: number }>();
  readonly known = new Map<string, Triple>();
  /** What others did that the report does not have. */
  readonly complaints: string[] = [];
  /** The report has the closest ones in a 672; whether that is oneself too, it leaves open. */
  readonly #listsItself: boolean;
  /** Keys that begin with one of these digits are not in its range: a store of them is a 406. */
  readonly #refuses: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;

  private constructor(options: { readonly listsItself: boolean; readonly refuses: string }) {
    this.#listsItself = options.listsItself;
    this.#refuses = options.refuses;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start({ listsItself = true, refuses = "" } = {}): Promise<MidtermPeer> {
    const peer = new MidtermPeer({ listsItself, refuses });
    peer.#server.listen(0, "127.0.0.1");
    await once(peer.#server, "listening");
    const address = peer.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    peer.port = address.port;
    return peer;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Asks for itself; the answer is all that it learns of the network. */
  async join(port: number): Promise<void> {
    const own = Buffer.from(this.id, "hex");
    const { type, body } = await this.#call({ ip: "127.0.0.1", port }, 662, own);
    if (type !== 672) throw new Error(`a join is answered with a ${type}`);
    this.#learn(body);
    await this.#lookup(this.id, 662);
  }

  async ping(port: number): Promise<boolean> {
    const { type, body } = await this.#call({ ip: "127.0.0.1", port }, 660, Buffer.alloc(0));
    return type === 670 && body.length === 0;
  }

  /** What its own API does with a 650; how many have answered with a 671. */
  async put(key: string, value: Buffer, ttlSeconds: number): Promise<number> {
    this.#keep(key, value, ttlSeconds);
    await this.#lookup(key, 662);
    const head = Buffer.alloc(4);
    head.writeUInt16BE(ttlSeconds, 0);
    head.writeUInt8(K, 2);
    const body = Buffer.concat([head, Buffer.from(key, "hex"), value]);
    let stored = 0;
    for (const triple of this.#closest(key)) {
      const answer = await this.#call(triple, 661, body).catch(() => undefined);
      if (answer?.type !== 671) continue;
      const isEcho = answer.body.equals(Buffer.concat([Buffer.from(key, "hex"), value]));
      if (!isEcho) this.complaints.push("a 671 of another key, or another value");
      stored += 1;
    }
    return stored;
  }

  /** What its own API does with a 651. */
  async get(key: string): Promise<Buffer | undefined> {
    return this.#own(key) ?? (await this.#lookup(key, 663));
  }

  #keep(key: string, value: Buffer, ttlSeconds: number): void {
    this.values.set(key, { value: Buffer.from(value), until: Date.now() + 1_000 * ttlSeconds });
  }

  #own(key: string): Buffer | undefined {
    const kept = this.values.get(key);
    return kept !== undefined && kept.until > Date.now() ? kept.value : undefined;
  }

  #learn(body: Buffer): void {
    if (body.length % 38 !== 0 || body.length > 38 * K) {
      this.complaints.push(`${body.length} bytes of triples`);
    }
    for (let at = 0; at + 38 <= body.length; at += 38) {
      const ip = [...body.subarray(at, at + 4)].join(".");
      const port = body.readUInt16BE(at + 4);
      const id = body.toString("hex", at + 6, at + 38);
      if (port === 0) this.complaints.push("a triple with port 0");
      if (id !== this.id) this.known.set(`${ip}:${port}`, { ip, port, id });
    }
  }

  #closest(target: string): Triple[] {
    const far = ({ id }: Triple): bigint => BigInt(`0x${id}`) ^ BigInt(`0x${target}`);
    return [...this.known.values()].sort((a, b) => (far(a) < far(b) ? -1 : 1)).slice(0, K);
  }

  /** Asks the closest until nobody is left to ask, or one has the value. */
  async #lookup(target: string, type: 662 | 663): Promise<Buffer | undefined> {
    const asked = new Set<string>();
    for (;;) {
      const next = this.#closest(target).find(({ id }) => !asked.has(id));
      if (next === undefined) return undefined;
      asked.add(next.id);
      try {
        const answer = await this.#call(next, type, Buffer.from(target, "hex"));
        if (answer.type === 672) this.#learn(answer.body);
        if (answer.type !== 673) continue;
        if (answer.body.toString("hex", 0, 32) !== target) this.complaints.push("another key");
        if (answer.body.length === 32) this.complaints.push("a 673 without a value");
        return Buffer.from(answer.body.subarray(32));
      } catch {
        this.known.delete(`${next.ip}:${next.port}`);
      }
    }
  }

  /** `size u16 | type u16 | RPC id 32 | body`, and what is answered. */
  async #call(to: Pick<Triple, "ip" | "port">, type: number, body: Buffer): Promise<Answer> {
    const rpcId = randomBytes(32);
    const socket = connect(to.port, to.ip);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.setTimeout(NOBODY_MS, () => socket.destroy());
    socket.write(messageOf(type, Buffer.concat([rpcId, body])));
    try {
      const answer = await firstMessage(socket);
      // An error has no RPC id, and its number right behind the header.
      if (answer.type === 680) return answer;
      if (!answer.body.subarray(0, 32).equals(rpcId)) this.complaints.push("another rpc id");
      return { type: answer.type, body: answer.body.subarray(32) };
    } finally {
      socket.destroy();
      this.#sockets.delete(socket);
    }
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    // Once it has answered, the connection is erased.
    firstMessage(socket).then(
      (message) => socket.end(this.#answer(message)),
      () => {},
    );
  }

  #answer({ type, body }: Answer): Buffer {
    const [rpcId, rest] = [body.subarray(0, 32), body.subarray(32)];
    const answer = (kind: number, ...parts: readonly Buffer[]): Buffer =>
      messageOf(kind, Buffer.concat([rpcId, ...parts]));
    switch (type) {
      case 660:
        return rest.length === 0 ? answer(670) : this.#complain(type);
      case 661: {
        const [key, value] = [rest.toString("hex", 4, 36), rest.subarray(36)];
        if (rest.length <= 36 || rest[3] !== 0) return this.#complain(type);
        if (this.#refuses.includes(key.charAt(0))) return errorOf(406);
        this.#keep(key, value, rest.readUInt16BE(0));
        return answer(671, rest.subarray(4));
      }
      case 662:
      case 663: {
        if (rest.length !== 32) return this.#complain(type);
        const key = rest.toString("hex");
        const value = type === 663 ? this.#own(key) : undefined;
        return value ? answer(673, rest, value) : answer(672, ...this.#triples(key));
      }
      default:
        return this.#complain(type);
    }
  }

  #triples(target: string): Buffer[] {
    const self = { ip: "127.0.0.1", port: this.port, id: this.id };
    const all = this.#listsItself ? [self, ...this.#closest(target)] : this.#closest(target);
    return all.slice(0, K).map(({ ip, port, id }) => {
      const triple = Buffer.alloc(38);
      triple.set(ip.split(".").map(Number), 0);
      triple.writeUInt16BE(port, 4);
      triple.write(id, 6, "hex");
      return triple;
    });
  }

  #complain(type: number): Buffer {
    this.complaints.push(`a ${type} that is none`);
    return errorOf(400);
  }
}

function messageOf(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(4 + body.length, 0);
  head.writeUInt16BE(type, 2);
  return Buffer.concat([head, body]);
}

function errorOf(code: number): Buffer {
  const body = Buffer.alloc(2);
  body.writeUInt16BE(code);
  return messageOf(680, body);
}

/** Nothing is looked at before all bytes are there that the size tells of. */
async function firstMessage(socket: Socket): Promise<Answer> {
  let bytes = Buffer.alloc(0);
  return await new Promise((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < 4 || bytes.length < bytes.readUInt16BE(0)) return;
      const body = bytes.subarray(4, bytes.readUInt16BE(0));
      resolve({ type: bytes.readUInt16BE(2), body });
    });
    socket.once("close", () => reject(new Error("no answer")));
  });
}
