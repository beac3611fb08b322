import { describe, expect, it } from "vitest";
import {
  type Caller,
  clientStream,
  duplex,
  type Manifest,
  type MessageCodec,
  NOTHING,
  RpcNode,
  raw,
  type StreamCarrier,
  serverStream,
  TEXT,
  unary,
} from "../../src/rpc/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { MemoryExchange } from "./memory-carrier.ts";

const manifest = {
  tail: serverStream({ request: TEXT, down: TEXT }),
  upload: clientStream({ up: TEXT, reply: NOTHING }),
  chat: duplex({ up: TEXT, down: TEXT }),
  tunnel: raw({ request: TEXT }),
};

function callsOf<M extends Manifest>(manifest: M, streams?: StreamCarrier): Caller<M> {
  const clock = new VirtualClock();
  const { id, carrier } = new MemoryExchange(clock).join();
  const node = new RpcNode({ carrier, clock, ...(streams && { streams }) });
  return node.caller(manifest, id);
}

describe("a node of calls without a carrier of streams", () => {
  const calls = callsOf(manifest);

  it.each([
    ["tail", () => calls.tail("").next()],
    ["upload", () => calls.upload([])],
    ["chat", () => calls.chat([]).next()],
    ["tunnel", () => calls.tunnel("")],
  ])("says so with a code, where a call is waited for: %s", async (_name, call) => {
    await expect(call()).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
  });

  it("begins no loop over items that throws before it is entered", () => {
    expect(() => [calls.tail(""), calls.chat([])]).not.toThrow();
  });
});

describe("a request that its codec does not write", () => {
  const refusing: MessageCodec<string> = {
    encode: () => {
      throw new RangeError("that is too much");
    },
    decode: () => "",
  };
  const streams: StreamCarrier = {
    openStream: () => Promise.reject(new Error("nothing is opened")),
    onStream: () => {},
  };
  const calls = callsOf(
    {
      greet: unary({ request: refusing, reply: TEXT }),
      tail: serverStream({ request: refusing, down: TEXT }),
      tunnel: raw({ request: refusing }),
    },
    streams,
  );

  it.each([
    ["greet", () => calls.greet("")],
    ["tail", () => calls.tail("").next()],
    ["tunnel", () => calls.tunnel("")],
  ])("fails its call where that is waited for: %s", async (_name, call) => {
    await expect(call()).rejects.toThrow(RangeError);
  });
});
