import { Duplex } from "node:stream";
import { describe, expect, it } from "vitest";
import { Reader, Writer } from "../../src/codec/index.ts";
import { readNodeAddress, writeNodeAddress } from "../../src/identity/index.ts";
import { ByteConnection } from "../../src/io/byte-connection.ts";

/** A connection whose other end is where Node says, in its words. */
function connectionFrom(remoteAddress: string): ByteConnection {
  const stream = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  const none = (): typeof socket => socket;
  const about = { remoteAddress, remotePort: 7_000, setNoDelay: none, setKeepAlive: none };
  const socket = Object.assign(stream, about);
  return new ByteConnection(socket);
}

describe("the other end of a TCP connection", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8::1", "2001:db8::1"],
    // Node names the interface of this machine behind an address of the local link.
    ["fe80::fc:ff:fe00:1%eth0", "fe80::fc:ff:fe00:1"],
  ])("that Node calls %s can be told to it as an address", (told, host) => {
    const { remote } = connectionFrom(told);
    if (remote === undefined) throw new Error("it has an address");
    const writer = new Writer();
    writeNodeAddress(writer, remote);
    const there = readNodeAddress(new Reader(writer.finish()));
    expect(there).toEqual({ carrier: "tcp", host, port: 7_000 });
  });
});
