import { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { ByteConnection } from "../../../src/io/byte-connection.ts";
import {
  type MapLimits,
  MapSessions,
  type MapSessionsOptions,
} from "../../../src/mapservice/index.ts";
import {
  encodeClientMessage,
  readNodeMessage,
  WIRE_VERSION,
} from "../../../src/mapservice/wire/wire.ts";
import { PAYLOAD_SIZE, serviceRig } from "../fixtures.ts";

/** The socket of a client that never ends its own half. */
class StubbornSocket extends Duplex {
  readonly said: Uint8Array[] = [];

  constructor() {
    super({ allowHalfOpen: true });
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.said.push(chunk);
    done();
  }
}

test("one source holds only so many connections, those that were told to go included", async () => {
  const { service, clock } = serviceRig();
  const sessions = new MapSessions(
    { service, clock, unsentBytesOfAll: () => 0 },
    { perSourceMax: 2 },
  );
  const connect = (source: string): StubbornSocket => {
    const socket = new StubbornSocket();
    sessions.serve(new ByteConnection(socket, clock), source);
    return socket;
  };
  const sockets = Array.from({ length: 10 }, () => connect("greedy"));
  const other = connect("other");
  await new Promise((resolve) => setImmediate(resolve));
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual(sockets.map((_, at) => at >= 4));
  expect(sessions.statistics.refused).toBe(8);
  const [busy] = sockets[2]?.said ?? [];
  expect(busy && readNodeMessage(busy.subarray(4), PAYLOAD_SIZE)).toEqual({
    kind: "goodbye",
    reason: "busy",
  });
  expect([other.destroyed, other.writableEnded]).toEqual([false, false]);
  clock.advance(5_000);
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual(sockets.map((_, at) => at >= 2));
});

describe("connections beyond what there is room for", () => {
  const HELLO = { kind: "hello", versionMin: WIRE_VERSION, versionMax: WIRE_VERSION } as const;

  /** A server, whose clients come from sources that are told, a second apart. */
  function rigWith(options: MapSessionsOptions, limits: Partial<MapLimits> = {}) {
    const { service, clock } = serviceRig({ limits });
    const sessions = new MapSessions({ service, clock, unsentBytesOfAll: () => 0 }, options);
    const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const connect = (source: string): StubbornSocket => {
      clock.advance(1_000);
      const socket = new StubbornSocket();
      sessions.serve(new ByteConnection(socket, clock), source);
      return socket;
    };
    const greet = async (socket: StubbornSocket): Promise<void> => {
      clock.advance(1_000);
      socket.push(encodeClientMessage(HELLO));
      await settled();
    };
    return { sessions, service, connect, greet, settled };
  }
  const whichAreGone = (sockets: readonly StubbornSocket[]): number[] =>
    sockets.flatMap(({ destroyed }, at) => (destroyed ? [at] : []));

  test("take the place of whoever has most: one that said nothing, then the idlest", async () => {
    const rig = rigWith({ perSourceMax: 10, connectionsMax: 4 });
    const greedy = Array.from({ length: 4 }, () => rig.connect("greedy"));
    for (const at of [1, 3, 0]) await rig.greet(greedy[at] as StubbornSocket);
    const others = [rig.connect("b")];
    expect(whichAreGone(greedy)).toEqual([2]);
    others.push(rig.connect("c"));
    expect(whichAreGone(greedy)).toEqual([1, 2]);
    expect(whichAreGone(others)).toEqual([]);
    expect(rig.sessions.statistics).toMatchObject({ displaced: 2, refused: 0 });
  });

  test("are refused where all have as much, and nobody loses the only one", async () => {
    const rig = rigWith({ perSourceMax: 10, connectionsMax: 3 });
    const sockets = ["a", "b", "c", "d", "a"].map(rig.connect);
    expect(whichAreGone(sockets)).toEqual([3, 4]);
    expect(rig.sessions.statistics).toMatchObject({ displaced: 0, refused: 2 });
  });

  test("take the place of one that was told to go before any other", async () => {
    const rig = rigWith({ perSourceMax: 2, connectionsMax: 4 });
    const greedy = Array.from({ length: 4 }, () => rig.connect("greedy"));
    const other = rig.connect("other");
    expect(whichAreGone([...greedy, other])).toEqual([2]);
    expect(rig.sessions.statistics).toMatchObject({ displaced: 0, refused: 2 });
  });

  test("are let ask in the place of one of whoever asks most", async () => {
    const limits = { linksMax: 3, linksPerSourceMax: 2 };
    const rig = rigWith({ perSourceMax: 2, connectionsMax: 100 }, limits);
    const sockets = ["a", "a", "b", "c", "c"].map(rig.connect);
    for (const at of [1, 0, 2, 3]) await rig.greet(sockets[at] as StubbornSocket);
    expect(whichAreGone(sockets)).toEqual([1]);
    expect(rig.sessions.statistics).toMatchObject({ displaced: 1, refused: 0 });
    // It has one, and all others have no more.
    await rig.greet(sockets[4] as StubbornSocket);
    expect(whichAreGone(sockets)).toEqual([1]);
    expect(rig.sessions.statistics).toMatchObject({ displaced: 1, refused: 1 });
    expect(rig.service.statistics().links).toBe(3);
  });
});
