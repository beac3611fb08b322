import { describe, expect, it } from "vitest";
import { formatNodeAddress, parseNodeAddress } from "../../../src/identity/index.ts";
import { dialOrder } from "../../../src/link/path/dial-race.ts";

function order(addresses: readonly string[], remembered?: string): string[] {
  const known = remembered === undefined ? undefined : parseNodeAddress(remembered);
  return dialOrder(addresses.map(parseNodeAddress), known).map(formatNodeAddress);
}

describe("the order in which addresses are dialled", () => {
  it("is UDP and TCP in turns between machines", () => {
    const [udp4, udp6] = ["udp://192.0.2.1:7000", "udp://[2001:db8::1]:7000"];
    const [tcp4, tcp6] = ["tcp://192.0.2.1:7001", "tcp://[2001:db8::1]:7001"];
    expect(order([tcp4, tcp6, udp4, udp6])).toEqual([udp4, tcp4, udp6, tcp6]);
  });

  it("is UDP first in a private network too, where packets may get lost", () => {
    for (const host of ["10.0.0.1", "192.168.1.1", "[fd00::1]"]) {
      const [udp, tcp] = [`udp://${host}:7000`, `tcp://${host}:7001`];
      expect(order([tcp, udp])).toEqual([udp, tcp]);
    }
  });

  it("is TCP first within one machine", () => {
    for (const host of ["127.0.0.1", "127.1.2.3", "[::1]"]) {
      const [udp, tcp] = [`udp://${host}:7000`, `tcp://${host}:7001`];
      const elsewhere = "udp://192.0.2.1:7000";
      expect(order([elsewhere, udp, tcp])).toEqual([tcp, elsewhere, udp]);
    }
  });

  it("begins with the way that won last time, whatever it is", () => {
    const [udp, tcp] = ["udp://127.0.0.1:7000", "tcp://127.0.0.1:7001"];
    expect(order([udp, tcp], udp)).toEqual([udp, tcp]);
  });

  it("begins with the carrier that won last time, where the address is another one now", () => {
    const [udp4, udp6] = ["udp://192.0.2.1:7000", "udp://[2001:db8::1]:7000"];
    const [tcp4, tcp6] = ["tcp://192.0.2.1:7001", "tcp://[2001:db8::1]:7001"];
    const all = [udp4, udp6, tcp4, tcp6];
    expect(order(all, "tcp://192.0.2.9:7001")).toEqual([tcp4, udp4, tcp6, udp6]);
    expect(order(all, "udp://192.0.2.9:7001")).toEqual([udp4, tcp4, udp6, tcp6]);
  });
});
