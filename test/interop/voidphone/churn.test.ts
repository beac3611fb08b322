import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { concatBytes, SeededRandom, utf8 } from "../../../src/base/index.ts";
import {
  callPeer,
  encodeApiRequest,
  FINAL,
  type GatewayName,
  MIDTERM,
  type PeerRequest,
  VoidphoneApiClient,
  VoidphoneGateways,
  VoidphoneOnionClient,
  VoidphoneRpsClient,
} from "../../../src/voidphone/index.ts";
import { encodeOnionRequest } from "../../../src/voidphone/onion/onion-messages.ts";
import { encodeRpsQuery } from "../../../src/voidphone/rps/rps-messages.ts";
import { RememberingNode } from "../../voidphone/gateway-rig.ts";
import { MemoryTunnels } from "../../voidphone/memory-tunnels.ts";

const HOST = "127.0.0.1";
const NAMES: readonly GatewayName[] = ["api", "midterm", "final", "onion", "rps"];
/** Bad clients live at another address, and so have a share of connections of their own. */
const BAD = "127.0.0.2";
const CLIENTS = 40;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** All gateways of one node, which may be closed and started again at its ports. */
class Module {
  readonly node = new RememberingNode();
  readonly network = new Map<string, MemoryTunnels>();
  readonly tunnels = new MemoryTunnels(this.network, "192.0.2.1 7");
  readonly far = new MemoryTunnels(this.network, "192.0.2.2 7");
  readonly id = new Uint8Array(32).fill(3);
  gateways: VoidphoneGateways | undefined;
  readonly ports = new Map<GatewayName, number>();

  async start(): Promise<void> {
    const at = (name: GatewayName): string => `${HOST}:${this.ports.get(name) ?? 0}`;
    const { id, node, tunnels } = this;
    const peer = { host: HOST, port: 4, portMappings: [], hostKey: utf8("k") };
    const sampling = { sample: async () => peer };
    const limits = { openMs: 2_000, messageMs: 2_000, idleMs: 4_000, connectionsPerSourceMax: 24 };
    this.gateways = await VoidphoneGateways.start(
      {
        api: at("api"),
        midterm: at("midterm"),
        final: at("final"),
        onion: at("onion"),
        rps: at("rps"),
      },
      { id, dht: node, peer: node, tunnels, sampling },
      { limits },
    );
    for (const name of NAMES) this.ports.set(name, this.gateways.server(name)?.port ?? 0);
  }

  async stop(): Promise<void> {
    await this.gateways?.close();
  }

  port(name: GatewayName): number {
    return this.ports.get(name) ?? 0;
  }

  /** Sessions that have begun and not ended. */
  open(name: GatewayName): number {
    const all = this.gateways?.server(name)?.statistics();
    if (all === undefined) return 0;
    const { sessions, refused: _refused, ...over } = all;
    return sessions - Object.values(over).reduce((sum, count) => sum + count, 0);
  }
}

describe("all servers of a node", () => {
  it.each([1, 2])("serve on among clients that do everything wrong (seed %i)", async (seed) => {
    const dice = new SeededRandom(seed);
    const module = new Module();
    await module.start();
    ends.push(() => module.stop());
    const before = process.getActiveResourcesInfo().length;
    const witness = new Witness(module);
    let isOver = false;
    const watching = (async () => {
      let rounds = 0;
      while (!isOver) {
        await witness.round(dice);
        rounds += 1;
      }
      return rounds;
    })();
    const bad = Array.from({ length: CLIENTS }, (_, at) => misbehave(module, dice.fork(at)));
    await Promise.all(bad);
    isOver = true;
    expect(await watching).toBeGreaterThan(2);
    for (const name of NAMES)
      await expect.poll(() => module.open(name), { timeout: 20_000 }).toBe(0);
    const { open } = module.tunnels;
    expect(open.filter(({ isDestroyed, isEnded }) => !isDestroyed && !isEnded)).toEqual([]);
    await expect
      .poll(() => process.getActiveResourcesInfo().length, { timeout: 20_000 })
      .toBeLessThanOrEqual(before);
  });

  it("let go of clients when they are closed, and serve at the same ports again", async () => {
    const dice = new SeededRandom(7);
    const module = new Module();
    const idle = process.getActiveResourcesInfo().length;
    for (let round = 0; round < 3; round++) {
      await module.start();
      const bad = Array.from({ length: CLIENTS }, (_, at) =>
        misbehave(module, dice.fork(CLIENTS * round + at)),
      );
      await new Witness(module).round(dice);
      await module.stop();
      await Promise.all(bad);
      expect(module.tunnels.open.filter((t) => !t.isDestroyed && !t.isEnded)).toEqual([]);
    }
    await expect
      .poll(() => process.getActiveResourcesInfo().length, { timeout: 20_000 })
      .toBeLessThanOrEqual(idle);
  });
});

describe("a client that leaves while it waits", () => {
  it("for a value and for a tunnel leaves nothing, though both come in the end", async () => {
    const module = new Module();
    await module.start();
    ends.push(() => module.stop());
    module.node.mood = "hangs";
    module.tunnels.mood = "hangs";
    const key = new Uint8Array(32);
    const api = await VoidphoneApiClient.connect(`${HOST}:${module.port("api")}`);
    const onion = await VoidphoneOnionClient.connect(`${HOST}:${module.port("onion")}`, IGNORED);
    const left = { code: "CULVERT_CLOSED" };
    const got = expect(api.get(key)).rejects.toMatchObject(left);
    const target = { host: "192.0.2.2", port: 7, hostKey: key };
    const built = expect(onion.build(target)).rejects.toMatchObject(left);
    await expect.poll(() => module.tunnels.isHanging).toBe(true);
    api.close();
    onion.close();
    await Promise.all([got, built]);
    for (const name of NAMES) await expect.poll(() => module.open(name)).toBe(0);
    module.tunnels.release();
    await expect
      .poll(() => module.tunnels.open.map(({ isDestroyed }) => isDestroyed))
      .toEqual([true]);
  });
});

/** A client of everything that does nothing wrong, and is always served. */
class Witness {
  readonly #module: Module;

  constructor(module: Module) {
    this.#module = module;
  }

  async round(dice: SeededRandom): Promise<void> {
    const [key, value] = [dice.bytes(32), dice.bytes(1 + dice.below(3_000))];
    const module = this.#module;
    const api = await VoidphoneApiClient.connect(`${HOST}:${module.port("api")}`);
    api.put({ key, value, ttlSeconds: 60 });
    expect(await api.get(key)).toEqual(value);
    api.close();
    const rps = await VoidphoneRpsClient.connect(`${HOST}:${module.port("rps")}`);
    expect((await rps.query()).port).toBe(4);
    rps.close();
    const onion = await VoidphoneOnionClient.connect(`${HOST}:${module.port("onion")}`, IGNORED);
    const tunnelId = await onion.build({ host: "192.0.2.2", port: 7, hostKey: key });
    onion.destroy(tunnelId);
    onion.close();
    for (const dialect of [MIDTERM, FINAL]) {
      const header = { rpcId: dice.bytes(32), sender: { id: dice.bytes(32), port: 9 } };
      const peer = { host: HOST, port: module.port(dialect.name) };
      const reply = await callPeer(peer, { kind: "find-value", key, ...header }, { dialect });
      expect(reply).toMatchObject({ kind: "value", value });
    }
  }
}

const IGNORED = { incoming: () => {}, data: () => {}, failed: () => {}, closed: () => {} };

/** One client that comes and goes a few times, and never as it should. */
async function misbehave(module: Module, dice: SeededRandom): Promise<void> {
  for (let times = 1 + dice.below(4); times > 0; times--) {
    const name = NAMES[dice.below(NAMES.length)] ?? "api";
    const socket = connect({
      port: module.port(name),
      host: HOST,
      localAddress: BAD,
      allowHalfOpen: dice.below(2) === 0,
    });
    socket.on("error", () => {});
    // Whoever keeps its half open hears nothing more once the other side is gone.
    let isGone = (): void => {};
    const closed = new Promise<void>((resolve) => {
      isGone = resolve;
    });
    socket.once("end", isGone).once("close", isGone);
    try {
      await Promise.race([once(socket, "connect"), closed]);
      const talking = async (): Promise<void> => {
        const stream = name === "final" ? await shaken(socket, dice) : socket;
        stream?.once("end", isGone).once("close", isGone);
        if (stream !== undefined) await talk(stream, name, dice);
      };
      await Promise.race([talking(), closed]);
    } catch {
      // It was cut, as it should be.
    }
    if (dice.below(3) > 0) socket.destroy();
    socket.resume();
    await Promise.race([closed, pause(3_000)]);
    socket.destroy();
  }
}

/** The client's half of TLS behind the preface, or some of it. */
async function shaken(socket: Socket, dice: SeededRandom): Promise<Socket | undefined> {
  const kind = dice.below(6);
  // Reads nothing, says nothing.
  if (kind === 0) return undefined;
  await once(socket, "data");
  socket.pause();
  if (kind === 1) {
    // A handshake, a byte at a time.
    const hello = concatBytes(Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3), dice.bytes(80));
    for (const byte of hello) {
      if (socket.destroyed) break;
      socket.write(Uint8Array.of(byte));
      await pause(10);
    }
    return undefined;
  }
  if (kind === 2) {
    socket.write(dice.bytes(300));
    return undefined;
  }
  const secure = connectTls({ socket, minVersion: "TLSv1.3", rejectUnauthorized: false });
  secure.on("error", () => socket.destroy());
  if (kind === 3) {
    socket.destroy();
    return undefined;
  }
  await once(secure, "secureConnect");
  return secure;
}

/** Messages, cut anywhere, with something wrong among them or none; and then nothing, or an end. */
async function talk(stream: Socket, name: GatewayName, dice: SeededRandom): Promise<void> {
  if (dice.below(4) > 0) stream.resume();
  const messages = Array.from({ length: dice.below(30) }, () => message(name, dice));
  let bytes = concatBytes(...messages);
  if (dice.below(6) === 0) bytes = concatBytes(bytes, dice.bytes(dice.below(600)));
  if (dice.below(4) === 0) bytes = concatBytes(bytes, Uint8Array.of(0, 4, 9, 9, 0, 0, 0));
  if (dice.below(3) === 0) bytes = bytes.slice(0, dice.below(bytes.length + 1));
  const isSlow = dice.below(5) === 0;
  for (let at = 0; at < bytes.length && !stream.destroyed; ) {
    const length = 1 + dice.below(isSlow ? 3 : 4_000);
    stream.write(bytes.slice(at, at + length));
    at += length;
    if (isSlow || dice.below(4) === 0) await pause(dice.below(20));
  }
  switch (dice.below(4)) {
    case 0:
      stream.end();
      break;
    case 1:
      stream.resetAndDestroy?.();
      break;
    case 2:
      await pause(dice.below(300));
  }
}

function message(name: GatewayName, dice: SeededRandom): Uint8Array {
  const key = dice.bytes(32);
  const kind = dice.below(4);
  if (name === "rps") return encodeRpsQuery();
  if (name === "api") {
    if (kind > 1) return encodeApiRequest({ kind: "get", key });
    const value = dice.bytes(1 + dice.below(kind === 0 ? 60_000 : 50));
    return encodeApiRequest({
      kind: "put",
      key,
      value,
      ttlSeconds: dice.below(65_536),
      replication: dice.below(256),
    });
  }
  if (name === "onion") {
    if (kind === 0)
      return encodeOnionRequest({ kind: "data", tunnelId: dice.below(9), data: dice.bytes(50) });
    if (kind === 1) return encodeOnionRequest({ kind: "destroy", tunnelId: dice.below(9) });
    const target = { host: "192.0.2.2", port: kind === 2 ? 7 : 0, hostKey: key };
    return encodeOnionRequest({ kind: "build", target });
  }
  const dialect = name === "final" ? FINAL : MIDTERM;
  const header = { rpcId: key, sender: { id: key, port: dice.below(65_536) } };
  const requests: PeerRequest[] = [
    { kind: "ping", ...header },
    { kind: "find-node", target: key, ...header },
    { kind: "find-value", key, ...header },
    {
      kind: "store",
      key,
      value: dice.bytes(1 + dice.below(4_000)),
      ttlSeconds: 0,
      replication: 0,
      ...header,
    },
  ];
  return dialect.encodeRequest(requests[kind] ?? { kind: "ping", ...header });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
