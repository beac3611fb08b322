import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createSecureContext, connect as secureConnect, TLSSocket } from "node:tls";
import { type NodeCertificate, nodeCertificate, nodeIdOf } from "./node-certificate.ts";
import {
  distance,
  type Heard,
  hostOf,
  readAll,
  readTriples,
  type Triple,
  wide,
  write,
  writeTriples,
} from "./shipped-wire.ts";

const K = 20;
/** A peer that has not answered by then is dead to it. */
const DEADLINE_MS = 1_000;
const VALUE_BYTES_MAX = 3_900;

/** A sha256 in hexadecimal: ids and keys are that long. */
export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/**
 * The peer that was shipped, as far as it can be known from outside: it takes one handshake at a
 * time, contacts only whom a 672 has listed, answers no store, says its last message again before a
 * connection ends, and gives a peer one second. It is written from those facts with Node alone.
 */
export class ShippedPeer {
  /** The ids of those that have stopped: by now their ports may be anybody's. */
  static readonly #gone = new Set<string>();
  readonly id: string = randomBytes(32).toString("hex");
  readonly values = new Map<string, Buffer>();
  /** What others did that it does not survive. */
  readonly complaints: string[] = [];
  readonly known = new Map<string, Triple>();
  /** Under which certificate it has met each id: another one is an impostor's. */
  readonly #certificates = new Map<string, string>();
  readonly #certificate: NodeCertificate;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #handshaking: Promise<void> = Promise.resolve();
  /** When it last answered each node. */
  readonly #answeredAt = new Map<string, number>();
  /** It dials one peer at a time. */
  #dialling: Promise<unknown> = Promise.resolve();
  port = 0;

  private constructor() {
    this.#certificate = nodeCertificate(this.id, "127.0.0.1");
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** At a free port, if none is given. */
  static async start(port = 0): Promise<ShippedPeer> {
    const peer = new ShippedPeer();
    peer.#server.listen(port, "127.0.0.1");
    await once(peer.#server, "listening");
    const address = peer.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    peer.port = address.port;
    return peer;
  }

  async stop(): Promise<void> {
    ShippedPeer.#gone.add(this.id);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Asks for itself, and from then on knows only who was listed. */
  async join(host: string, port: number): Promise<void> {
    const reply = await this.#call(
      { ip: wide(host), port, id: "" },
      662,
      Buffer.from(this.id, "hex"),
    );
    for (const triple of readTriples(reply.body)) this.#learn(triple);
    await this.#lookup(this.id);
  }

  /** What its own API does with a 650. */
  async put(key: string, value: Buffer, ttlSeconds: number): Promise<void> {
    if (value.length > VALUE_BYTES_MAX) throw new Error("too long for it");
    const closest = await this.#lookup(key);
    const ttl = Buffer.alloc(2);
    ttl.writeUInt16BE(ttlSeconds);
    const body = Buffer.concat([ttl, Buffer.from(key, "hex"), value]);
    for (const triple of closest) {
      if (triple.id === this.id) this.values.set(key, value);
      else await this.#call(triple, 661, body).catch(() => this.#forget(triple));
    }
  }

  /** What its own API does with a 651. */
  async get(key: string): Promise<Buffer | undefined> {
    const own = this.values.get(key);
    if (own !== undefined) return own;
    const found: { value?: Buffer } = {};
    await this.#lookup(key, (reply) => {
      if (reply.type !== 673) return false;
      found.value = reply.body.subarray(32);
      if (found.value.length === 0) this.complaints.push("a 673 without a value");
      return true;
    });
    return found.value;
  }

  #self(): Triple {
    return { ip: wide("127.0.0.1"), port: this.port, id: this.id };
  }

  #learn(triple: Triple): void {
    if (triple.id !== this.id) this.known.set(`${triple.ip}:${triple.port}`, triple);
  }

  #forget({ ip, port }: Triple): void {
    this.known.delete(`${ip}:${port}`);
  }

  #closest(target: string): Triple[] {
    const all = [...this.known.values(), this.#self()];
    all.sort((a, b) => (distance(a.id, target) < distance(b.id, target) ? -1 : 1));
    return all.slice(0, K);
  }

  /** Asks the closest that it knows, one after the other, until there is nobody left to ask. */
  async #lookup(
    target: string,
    isEnough: (reply: Heard) => boolean = () => false,
  ): Promise<Triple[]> {
    const asked = new Set<string>([this.id]);
    for (;;) {
      const next = this.#closest(target).find(({ id }) => !asked.has(id));
      if (next === undefined) return this.#closest(target);
      asked.add(next.id);
      try {
        const type = isEnough.length > 0 ? 663 : 662;
        const reply = await this.#call(next, type, Buffer.from(target, "hex"));
        if (isEnough(reply)) return [];
        if (reply.type === 672) for (const triple of readTriples(reply.body)) this.#learn(triple);
      } catch {
        this.#forget(next);
      }
    }
  }

  /** One connection for one message; a store is not answered, and the connection is closed. */
  async #call(to: Triple, type: number, body: Buffer): Promise<Heard> {
    const turn = this.#dialling.then(() => this.#callNow(to, type, body));
    this.#dialling = turn.catch(() => {});
    return await turn;
  }

  async #callNow(to: Triple, type: number, body: Buffer): Promise<Heard> {
    const rpcId = randomBytes(32).toString("hex");
    const message = write(type, { nodeId: this.id, port: this.port, rpcId }, body);
    const { port } = to;
    const socket = connect(port, hostOf(to.ip));
    this.#sockets.add(socket);
    socket.on("error", () => {});
    const timer = setTimeout(() => socket.destroy(), DEADLINE_MS);
    try {
      const secure = await this.#shakeHands(socket, to);
      secure.write(message);
      if (type === 661) {
        // It says its last message again, and goes.
        secure.end(message);
        await happened(secure, "close");
        return { type: 0, nodeId: "", port: 0, rpcId, body: Buffer.alloc(0) };
      }
      const reply = await answerTo(secure);
      if (reply.type !== 680 && reply.rpcId !== rpcId) this.complaints.push("another rpc id");
      secure.end(message);
      return reply;
    } finally {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    }
  }

  /** Reads the certificate in clear and takes it for the authority over the handshake. */
  async #shakeHands(socket: Socket, to: Triple): Promise<TLSSocket> {
    const pem = await prefaceOf(socket);
    const id = nodeIdOf(pem);
    if (to.id !== "" && id !== to.id && !ShippedPeer.#gone.has(to.id)) {
      this.complaints.push("a certificate of another node");
    }
    if ((this.#certificates.get(id) ?? pem) !== pem) {
      this.complaints.push("another certificate of a known node");
      throw new Error("an impostor");
    }
    this.#certificates.set(id, pem);
    const secure = secureConnect({
      socket,
      ca: pem,
      minVersion: "TLSv1.3",
      checkServerIdentity: () => undefined,
    });
    secure.on("error", () => {});
    await Promise.race([happened(secure, "secureConnect"), failed(secure)]);
    return secure;
  }

  /** One handshake at a time: who dials meanwhile waits. */
  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    const dialledAt = performance.now();
    this.#handshaking = this.#handshaking.then(() => this.#welcome(socket, dialledAt));
  }

  async #welcome(socket: Socket, dialledAt: number): Promise<void> {
    const pem = Buffer.from(this.#certificate.certificate);
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(pem.length);
    socket.write(Buffer.concat([prefix, pem]));
    const secureContext = createSecureContext({
      cert: this.#certificate.certificate,
      key: this.#certificate.privateKey,
      minVersion: "TLSv1.3",
    });
    const secure = new TLSSocket(socket, { isServer: true, secureContext });
    secure.on("error", () => {});
    this.#serve(secure, dialledAt);
    const cut = setTimeout(() => socket.destroy(), DEADLINE_MS);
    await Promise.race([happened(secure, "secure"), happened(socket, "close")]);
    clearTimeout(cut);
  }

  #serve(secure: TLSSocket, dialledAt: number): void {
    let bytes: Buffer = Buffer.alloc(0);
    let last: Buffer | undefined;
    let isFirst = true;
    secure.on("data", (chunk: Buffer) => {
      try {
        const { heard, rest } = readAll(Buffer.concat([bytes, chunk]));
        bytes = rest;
        for (const message of heard) {
          if (isFirst && (this.#answeredAt.get(message.nodeId) ?? 0) > dialledAt) {
            this.complaints.push("dialled again before it had answered");
          }
          isFirst = false;
          this.#greet(secure, message);
          const answer = this.#answer(message);
          if (answer !== undefined) secure.write(answer);
          last = answer ?? last;
          this.#answeredAt.set(message.nodeId, performance.now());
        }
      } catch (error) {
        this.complaints.push(String(error));
        secure.destroy();
      }
    });
    // It says its last message again when a connection ends.
    secure.on("end", () => {
      if (last !== undefined) secure.write(last);
      secure.end();
    });
  }

  /** Whoever asks is known from then on, and dialled at once: its port had better be open. */
  #greet(secure: TLSSocket, { nodeId, port }: Heard): void {
    const triple = { ip: wide(secure.remoteAddress ?? ""), port, id: nodeId };
    if (this.known.has(`${triple.ip}:${port}`)) return;
    this.#learn(triple);
    this.#call(triple, 660, Buffer.alloc(0)).catch(() => {
      this.#forget(triple);
      this.complaints.push(`nobody answers at the port ${port} that was announced`);
    });
  }

  #answer({ type, rpcId, body }: Heard): Buffer | undefined {
    const header = { nodeId: this.id, port: this.port, rpcId };
    switch (type) {
      case 660:
        return write(670, header);
      case 661:
        if (body.length <= 34) this.complaints.push("a store without a value");
        this.values.set(body.toString("hex", 2, 34), body.subarray(34));
        return undefined;
      case 662:
        return write(672, header, writeTriples(this.#closest(body.toString("hex"))));
      case 663: {
        const key = body.toString("hex");
        const value = this.values.get(key);
        if (value === undefined) return write(672, header, writeTriples(this.#closest(key)));
        return write(673, header, Buffer.concat([body, value]));
      }
      default:
        this.complaints.push(`a message of type ${type}`);
        return undefined;
    }
  }
}

/** The first message that comes. */
async function answerTo(secure: TLSSocket): Promise<Heard> {
  let bytes: Buffer = Buffer.alloc(0);
  return await new Promise((resolve, reject) => {
    secure.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const [first] = readAll(bytes).heard;
      if (first !== undefined) resolve(first);
    });
    secure.once("close", () => reject(new Error("no answer")));
  });
}

/** The certificate that a listener sends in clear. */
async function prefaceOf(socket: Socket): Promise<string> {
  let bytes: Buffer = Buffer.alloc(0);
  const whole = new Promise<string>((resolve) => {
    socket.on("data", function onData(chunk: Buffer) {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32BE(0)) return;
      socket.off("data", onData).pause();
      resolve(bytes.subarray(4).toString());
    });
  });
  return await Promise.race([whole, failed(socket)]);
}

async function failed(socket: Socket): Promise<never> {
  await happened(socket, "close");
  throw new Error("the connection failed");
}

/** Unlike `once`, it does not mind an error on the way. */
async function happened(socket: Socket, event: string): Promise<void> {
  await new Promise<void>((resolve) => socket.once(event, () => resolve()));
}
