import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import {
  type LineProfile,
  VirtualClock,
  type VirtualConnection,
  type VirtualHost,
  type VirtualNat,
  VirtualNetwork,
} from "../../../src/testing/index.ts";

const SERVER = { host: "198.51.100.1", port: 7_000 };
const CLIENT = { host: "203.0.113.1", port: 7_001 };

function twoHosts(line: Partial<LineProfile> = {}, seed = 1) {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed, line });
  const server = network.addHost({ addresses: [SERVER.host] });
  const client = network.addHost({ addresses: [CLIENT.host] });
  return { clock, network, server, client };
}

/** Sends `count` numbered datagrams, one a millisecond, and tells what arrived when. */
function datagrams(line: Partial<LineProfile>, count: number, bytes = 4) {
  const { clock, network, server, client } = twoHosts(line);
  const seen: { number: number; bytes: Uint8Array; ms: number }[] = [];
  server.bind(SERVER.port).listen({
    datagram: (datagram) => {
      const number = new DataView(datagram.buffer).getUint16(0);
      seen.push({ number, bytes: datagram, ms: clock.now() - number });
    },
  });
  const socket = client.bind();
  for (let number = 0; number < count; number++) {
    const datagram = new Uint8Array(bytes);
    new DataView(datagram.buffer).setUint16(0, number);
    socket.send(datagram, SERVER);
    clock.advance(1);
  }
  clock.advance(60_000);
  return { seen, network };
}

describe("the line of a host", () => {
  it("delays, and with jitter lets packets overtake each other", () => {
    const clean = datagrams({ delayMs: 15 }, 50).seen;
    expect(clean.map(({ ms }) => ms)).toEqual(Array<number>(50).fill(30));
    const jittery = datagrams({ delayMs: 15, jitterMs: 20 }, 200).seen;
    expect(Math.min(...jittery.map(({ ms }) => ms))).toBeGreaterThanOrEqual(30);
    expect(Math.max(...jittery.map(({ ms }) => ms))).toBeLessThanOrEqual(70);
    const numbers = jittery.map(({ number }) => number);
    expect(numbers).not.toEqual(numbers.toSorted((a, b) => a - b));
  });

  it("keeps the order where jitter is that of a queue, but for what is held back", () => {
    const line = { delayMs: 15, jitterMs: 20, isQueued: true };
    const queued = datagrams(line, 200).seen;
    expect(Math.max(...queued.map(({ ms }) => ms))).toBeLessThanOrEqual(70);
    expect(new Set(queued.map(({ ms }) => ms)).size).toBeGreaterThan(20);
    const numbers = queued.map(({ number }) => number);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    const held = datagrams({ ...line, reorder: 0.1, reorderMs: 400 }, 200).seen;
    expect(held.map(({ number }) => number)).not.toEqual(numbers);
  });

  it("loses, repeats, holds back and damages about as often as it is told", () => {
    const lost = datagrams({ loss: 0.1 }, 2_000);
    expect(lost.seen.length / 2_000).toBeCloseTo(0.81, 1);
    expect(lost.network.count("loss")).toBe(2_000 - lost.seen.length);
    expect(datagrams({ duplicate: 0.1 }, 2_000).seen.length / 2_000).toBeCloseTo(1.21, 1);
    const held = datagrams({ reorder: 0.1, reorderMs: 400 }, 2_000).seen;
    expect(held.filter(({ ms }) => ms > 21).length / 2_000).toBeCloseTo(0.19, 1);
    const damaged = datagrams({ corrupt: 0.1 }, 2_000, 512).seen;
    expect(damaged).toHaveLength(2_000);
    const isWhole = ({ bytes }: { bytes: Uint8Array }): boolean =>
      bytes.subarray(2).every((byte) => byte === 0);
    expect(damaged.filter(isWhole).length / 2_000).toBeCloseTo(0.81, 1);
  });

  it("is busy for as long as its bandwidth says, and drops what finds no room to wait", () => {
    // 140 bytes with the header: 70 ms each on the sender's line, and 70 on the receiver's.
    const line = { delayMs: 0, bytesPerSecond: 2_000, queueBytes: 1_400 };
    const { seen, network } = datagrams(line, 100, 100);
    expect(seen[0]?.ms).toBe(140);
    const gaps = seen.slice(1).map(({ ms, number }, at) => {
      const before = seen[at];
      return ms + number - (before === undefined ? 0 : before.ms + before.number);
    });
    expect(gaps.length).toBeGreaterThan(8);
    for (const gap of gaps) expect(gap).toBeCloseTo(70, 6);
    expect(network.count("queue")).toBe(100 - seen.length);
  });
});

/** Echoes what comes. */
function echo(connection: VirtualConnection): void {
  connection.start({
    receive: (bytes) => connection.write(bytes),
    drained: () => {},
    closed: () => {},
  });
}

function transfer(
  seed: number,
  line: Partial<LineProfile>,
  dial: (client: VirtualHost) => VirtualConnection,
) {
  const { clock, network, server, client } = twoHosts(line, seed);
  server.listen(echo, SERVER.port);
  echo(server.bind(SERVER.port).connect({ localId: 8, remoteId: 9, to: CLIENT }));
  const sent = new SeededRandom(seed).bytes(100_000);
  const connection = dial(client);
  const back: number[] = [];
  let closed: Error | "in good order" | undefined;
  connection.start({
    receive: (bytes) => back.push(...bytes),
    drained: () => {},
    closed: (error) => {
      closed = error ?? "in good order";
    },
  });
  for (let at = 0; at < sent.length; at += 30_000) connection.write(sent.slice(at, at + 30_000));
  connection.close(false);
  clock.advance(600_000);
  return {
    isSame: back.length === sent.length && back.every((b, at) => b === sent[at]),
    closed,
    network,
    clock,
  };
}

describe("an ordered connection", () => {
  const stormy = { loss: 0.1, duplicate: 0.05, reorder: 0.2, reorderMs: 80, corrupt: 0.02 };

  it.each([1, 2, 3, 4, 5])("carries every byte in order through a storm: seed %i", (seed) => {
    const tcp = transfer(seed, stormy, (client) => client.dial(SERVER));
    expect(tcp.closed).toBe("in good order");
    expect(tcp.isSame).toBe(true);
    const udp = transfer(seed, stormy, (client) =>
      client.bind(CLIENT.port).connect({ localId: 9, remoteId: 8, to: SERVER }),
    );
    expect(udp.closed).toBe("in good order");
    expect(udp.isSame).toBe(true);
  });

  it("leaves no timer behind", () => {
    const { clock } = transfer(1, { loss: 0.05 }, (client) => client.dial(SERVER));
    expect(clock.pending).toBe(0);
  });

  it("finds the bandwidth of a narrow line", () => {
    const line = { bytesPerSecond: 50_000, queueBytes: 30_000 };
    const { clock, server, client } = twoHosts(line);
    let bytes = 0;
    server.listen((connection) => {
      connection.start({
        receive: (piece) => {
          bytes += piece.length;
        },
        drained: () => {},
        closed: () => {},
      });
    }, SERVER.port);
    const connection = client.dial(SERVER);
    connection.write(new Uint8Array(2_000_000));
    clock.advance(20_000);
    expect(bytes / 20 / 50_000).toBeGreaterThan(0.8);
  });

  it("holds the writer back while nobody reads, and goes on after that", () => {
    const { clock, server, client } = twoHosts();
    let bytes = 0;
    let accepted: VirtualConnection | undefined;
    server.listen((connection) => {
      accepted = connection;
      connection.setReading(false);
      connection.start({
        receive: (piece) => {
          bytes += piece.length;
        },
        drained: () => {},
        closed: () => {},
      });
    }, SERVER.port);
    const connection = client.dial(SERVER);
    let drains = 0;
    connection.start({
      receive: () => {},
      drained: () => {
        drains += 1;
      },
      closed: () => {},
    });
    connection.write(new Uint8Array(1_000_000));
    clock.advance(120_000);
    expect([bytes, drains]).toEqual([0, 0]);
    expect(connection.unsentBytes).toBeGreaterThan(700_000);
    accepted?.setReading(true);
    clock.advance(60_000);
    expect([bytes, drains, connection.unsentBytes]).toEqual([1_000_000, 1, 0]);
  });

  it("tells a dialler that nobody listens, and that nobody answers", () => {
    const { clock, client } = twoHosts();
    const errors: string[] = [];
    const watch = (connection: VirtualConnection): void =>
      connection.start({
        receive: () => {},
        drained: () => {},
        closed: (error) => errors.push(`${clock.now()} ${error?.message}`),
      });
    watch(client.dial(SERVER));
    watch(client.dial({ host: "198.51.100.99", port: 1 }));
    clock.advance(60_000);
    expect(errors).toEqual(["40 the connection was reset", "30000 the connection fell silent"]);
  });

  it("is cut for both when one cuts it", () => {
    const { clock, server, client } = twoHosts();
    const ends: string[] = [];
    const watch = (who: string, connection: VirtualConnection): void =>
      connection.start({
        receive: () => {},
        drained: () => {},
        closed: (error) => ends.push(`${who} ${error?.message}`),
      });
    server.listen((connection) => watch("server", connection), SERVER.port);
    const connection = client.dial(SERVER);
    watch("client", connection);
    clock.advance(100);
    connection.close(true);
    clock.advance(100);
    expect(ends).toEqual(["client undefined", "server the connection was reset"]);
  });

  it("over TCP dies with its address", () => {
    const { nat, run } = natted();
    const { seen, error } = run("tcp", nat);
    expect(seen).toEqual(["server 1", "client 1"]);
    expect(error?.message).toBe("the connection fell silent");
  });

  it("over UDP is heard from the new address, and answers to the old one", () => {
    const { nat, run } = natted();
    const { seen, error } = run("udp", nat);
    expect(seen).toEqual(["server 1", "client 1", "server 2"]);
    expect(error?.message).toBe("the connection fell silent");
  });

  it("carries datagrams beside the bytes over UDP", () => {
    const { clock, server, client } = twoHosts({ loss: 0.3 });
    const there = server.bind(SERVER.port).connect({ localId: 8, remoteId: 9, to: CLIENT });
    const here = client.bind(CLIENT.port).connect({ localId: 9, remoteId: 8, to: SERVER });
    let datagrams = 0;
    there.start({
      receive: () => {},
      drained: () => {},
      closed: () => {},
      datagram: () => {
        datagrams += 1;
      },
    });
    for (let sent = 0; sent < 500; sent++) here.sendDatagram?.(Uint8Array.of(1));
    clock.advance(1_000);
    expect(datagrams / 500).toBeCloseTo(0.49, 1);
  });
});

/** A connection through a NAT that is given another address in between. */
function natted() {
  const { clock, network, server } = twoHosts();
  const nat = network.addNat({ outer: CLIENT.host.replace(".1", ".9"), kind: "full-cone" });
  const inner = network.addHost({ addresses: ["10.0.0.2"], behind: nat });
  const seen: string[] = [];
  let error: Error | undefined;
  const watch = (who: string, connection: VirtualConnection): void => {
    connection.start({
      receive: (bytes) => {
        seen.push(`${who} ${bytes[0]}`);
        if (who === "server") connection.write(bytes);
      },
      drained: () => {},
      closed: (reason) => {
        error ??= reason;
      },
    });
  };
  const run = (protocol: "udp" | "tcp", through: VirtualNat) => {
    server.listen((connection) => watch("server", connection), SERVER.port);
    const outer = { host: through.table.outerHost, port: CLIENT.port };
    const ends = { localId: 8, remoteId: 9, to: outer };
    if (protocol === "udp") watch("server", server.bind(SERVER.port).connect(ends));
    const client =
      protocol === "tcp"
        ? inner.dial(SERVER)
        : inner.bind(CLIENT.port).connect({ localId: 9, remoteId: 8, to: SERVER });
    watch("client", client);
    client.write(Uint8Array.of(1));
    clock.advance(1_000);
    through.rebind("203.0.113.10");
    client.write(Uint8Array.of(2));
    clock.advance(60_000);
    return { seen, error };
  };
  return { nat, run };
}

describe("the network", () => {
  it("keeps the sides of a partition apart until it heals", () => {
    const { clock, network, server, client } = twoHosts();
    const third = network.addHost({ addresses: ["192.0.2.1"] });
    const seen: number[] = [];
    server.bind(SERVER.port).listen({ datagram: (bytes) => seen.push(bytes[0] ?? 0) });
    const [a, b] = [client.bind(), third.bind()];
    network.partition([server, third], [client]);
    a.send(Uint8Array.of(1), SERVER);
    b.send(Uint8Array.of(2), SERVER);
    clock.advance(100);
    network.heal();
    a.send(Uint8Array.of(3), SERVER);
    clock.advance(100);
    expect(seen).toEqual([2, 3]);
  });

  it("lets a host go offline, move and come back", () => {
    const { clock, network, server, client } = twoHosts();
    const seen: string[] = [];
    server.bind(SERVER.port).listen({ datagram: (_, from) => seen.push(from.host) });
    const socket = client.bind();
    client.isOnline = false;
    socket.send(Uint8Array.of(1), SERVER);
    client.isOnline = true;
    network.move(client, { addresses: ["192.0.2.77"] });
    socket.send(Uint8Array.of(2), SERVER);
    clock.advance(100);
    expect(seen).toEqual(["192.0.2.77"]);
  });

  it("carries a false source address from the open, and not through a NAT", () => {
    const { clock, network, server, client } = twoHosts();
    const nat = network.addNat({ outer: "203.0.113.9", kind: "full-cone" });
    const inner = network.addHost({ addresses: ["10.0.0.2"], behind: nat });
    const seen: string[] = [];
    server.bind(SERVER.port).listen({ datagram: (_, from) => seen.push(from.host) });
    const from = { host: "192.0.2.55", port: 1 };
    client.spoof(Uint8Array.of(1), { from, to: SERVER });
    inner.spoof(Uint8Array.of(2), { from, to: SERVER });
    clock.advance(100);
    expect(seen).toEqual(["192.0.2.55", "203.0.113.9"]);
  });

  it("is a function of its seed", () => {
    const line = { loss: 0.1, jitterMs: 5, duplicate: 0.1, corrupt: 0.1 };
    const hash = (seed: number): string =>
      transfer(seed, line, (client) => client.dial(SERVER)).network.traceHash;
    expect(hash(7)).toBe(hash(7));
    expect(hash(7)).not.toBe(hash(8));
  });

  it("carries the gossip of 200 nodes", () => {
    const clock = new VirtualClock();
    const network = new VirtualNetwork({ clock, seed: 3, line: { loss: 0.02, jitterMs: 10 } });
    const random = new SeededRandom(4);
    const hosts = Array.from({ length: 200 }, (_, at) =>
      network.addHost({ addresses: [`198.51.${100 + (at >> 8)}.${at & 255}`] }),
    );
    let received = 0;
    const ports = hosts.map((host) => {
      const port = host.bind(7_000);
      port.listen({
        datagram: () => {
          received += 1;
        },
      });
      return port;
    });
    for (let round = 0; round < 100; round++) {
      for (const port of ports) {
        const to = hosts[random.below(hosts.length)]?.addresses[0] ?? "";
        port.send(new Uint8Array(200), { host: to, port: 7_000 });
      }
      clock.advance(100);
    }
    clock.advance(1_000);
    expect(received).toBe(network.count("delivered"));
    expect(received / 20_000).toBeCloseTo(0.96, 1);
  });
});
