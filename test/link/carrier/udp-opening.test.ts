import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isCulvertError, SeededRandom } from "../../../src/base/index.ts";
import { UdpDialCore, type UdpDialEffect } from "../../../src/link/carrier/udp-dial-core.ts";
import {
  CookieJar,
  encodeOpening,
  readOpening,
  streamIdOf,
} from "../../../src/link/carrier/udp-opening.ts";
import { effectsOf } from "../../effects-of.ts";

const HELLO = { streamId: 7, nonce: new Uint8Array(8).fill(3) };
const FROM = { host: "192.0.2.1", port: 4_000 };
const jar = () => new CookieJar(new SeededRandom(1).bytes(32));

describe("the cookie of a retry", () => {
  it("is good for what was said, where it came from, and not for long", () => {
    const [mine, other] = [jar(), new CookieJar(new SeededRandom(2).bytes(32))];
    const cookie = mine.bake(HELLO, FROM, 5_000);
    expect(mine.isGood(cookie, HELLO, FROM, 5_000)).toBe(true);
    expect(mine.isGood(cookie, HELLO, FROM, 15_900)).toBe(true);
    expect(mine.isGood(cookie, HELLO, FROM, 16_000)).toBe(false);
    expect(mine.isGood(cookie, HELLO, FROM, 4_000)).toBe(false);
    expect(other.isGood(cookie, HELLO, FROM, 5_000)).toBe(false);
    expect(mine.isGood(cookie, { ...HELLO, streamId: 8 }, FROM, 5_000)).toBe(false);
    const nonce = new Uint8Array(8).fill(4);
    expect(mine.isGood(cookie, { ...HELLO, nonce }, FROM, 5_000)).toBe(false);
    expect(mine.isGood(cookie, HELLO, { ...FROM, port: 4_001 }, 5_000)).toBe(false);
    expect(mine.isGood(cookie, HELLO, { ...FROM, host: "192.0.2.2" }, 5_000)).toBe(false);
    for (let at = 0; at < cookie.length; at++) {
      const changed = cookie.with(at, (cookie[at] ?? 0) ^ 1);
      expect(mine.isGood(changed, HELLO, FROM, 5_000)).toBe(false);
    }
  });

  it("makes an answer no longer than the question: nobody is flooded through us", () => {
    const cookie = jar().bake(HELLO, FROM, 0);
    const retry = encodeOpening({ kind: "retry", nonce: HELLO.nonce, cookie });
    expect(retry.length).toBeLessThanOrEqual(encodeOpening({ kind: "hello", ...HELLO }).length);
  });
});

describe("the datagrams that open a stream", () => {
  it("come back as they were, and nothing else is taken for one", () => {
    const cookie = jar().bake(HELLO, FROM, 0);
    const all = [
      { kind: "hello", ...HELLO } as const,
      { kind: "retry", nonce: HELLO.nonce, cookie } as const,
      { kind: "confirm", ...HELLO, cookie } as const,
    ];
    for (const datagram of all) {
      const bytes = encodeOpening(datagram);
      expect(readOpening(bytes)).toEqual(datagram);
      expect(() => readOpening(bytes.subarray(1))).toThrow();
      expect(() => readOpening(new Uint8Array([...bytes, 0]))).toThrow();
      expect(() => readOpening(bytes.with(1, 2))).toThrow("version");
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          readOpening(bytes);
        } catch (error) {
          expect(isCulvertError(error, "CULVERT_PROTOCOL")).toBe(true);
        }
      }),
    );
  });
});

describe("a dial over UDP", () => {
  const drain = (core: UdpDialCore): UdpDialEffect[] => {
    return [...effectsOf(core)];
  };

  it("repeats itself at doubling gaps, and gives up", () => {
    const core = new UdpDialCore(HELLO);
    core.handle({ kind: "begin" }, 0);
    const sentAt: number[] = [];
    let last: UdpDialEffect | undefined;
    for (let now = 0; core.deadline() < Infinity; now = core.deadline()) {
      core.timeout(now);
      for (const effect of drain(core)) {
        if (effect.kind === "send") sentAt.push(now);
        last = effect;
      }
    }
    expect(sentAt).toEqual([0, 250, 750, 1_750, 3_750, 7_750]);
    expect(last).toMatchObject({ kind: "fail", error: { code: "CULVERT_UNREACHABLE" } });
  });

  it("takes one retry, its own, and confirms until it hears something", () => {
    const core = new UdpDialCore(HELLO);
    core.handle({ kind: "begin" }, 0);
    drain(core);
    const cookie = jar().bake(HELLO, FROM, 0);
    core.handle({ kind: "retry", nonce: new Uint8Array(8), cookie }, 10);
    expect(drain(core)).toEqual([]);
    core.handle({ kind: "retry", nonce: HELLO.nonce, cookie }, 20);
    const confirm = encodeOpening({ kind: "confirm", ...HELLO, cookie });
    expect(drain(core)).toEqual([
      { kind: "send", bytes: confirm },
      { kind: "connect", remoteId: streamIdOf(cookie) },
    ]);
    core.handle({ kind: "retry", nonce: HELLO.nonce, cookie }, 30);
    expect(drain(core)).toEqual([]);
    core.timeout(270);
    expect(drain(core)).toEqual([{ kind: "send", bytes: confirm }]);
    core.handle({ kind: "heard" }, 300);
    expect(core.deadline()).toBe(Infinity);
  });
});
