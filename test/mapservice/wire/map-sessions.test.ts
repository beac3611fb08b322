import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { ByteConnection } from "../../../src/io/byte-connection.ts";
import { MapSessions } from "../../../src/mapservice/index.ts";
import { readNodeMessage } from "../../../src/mapservice/wire/wire.ts";
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
