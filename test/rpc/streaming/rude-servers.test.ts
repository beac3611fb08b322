import { expect, it } from "vitest";
import { duplex, RpcNode, Service, serverStream, TEXT } from "../../../src/rpc/index.ts";
import { CALL_FRAME, encodeCallFrame } from "../../../src/rpc/streaming/call-frame.ts";
import { all } from "../../../src/testing/compliance/rpc-rig.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryStream } from "../memory-links.ts";

const peer = new Uint8Array(32);
const carrier = { isReliable: true, start() {}, send() {}, close: async () => {} };
const tail = serverStream({ request: TEXT, down: TEXT });

it("a call takes no longer than it may, though items come for as long as it is open", async () => {
  const clock = new VirtualClock();
  const [mine, theirs] = MemoryStream.pair();
  theirs.on("error", () => {}).resume();
  const say = (): void => {
    if (theirs.destroyed) return;
    theirs.write(encodeCallFrame(CALL_FRAME.item, TEXT.encode("more")));
    clock.schedule(clock.now() + 100, say);
  };
  say();
  const streams = { openStream: async () => mine, onStream: () => {} };
  const node = new RpcNode({ carrier, streams, clock });
  const items = all(node.caller({ tail }, peer).tail("", { totalMs: 1_000 }));
  const why = clock.runPromise(items, 60_000);
  await expect(why).rejects.toMatchObject({ code: "CULVERT_TIMEOUT", remote: false });
  expect(clock.now()).toBe(1_000);
});

it("a method that is of another kind at the one who serves it is unknown there", async () => {
  const clock = new VirtualClock();
  let serve: (peer: Uint8Array, stream: MemoryStream) => void = () => {};
  const [serving] = MemoryStream.pair();
  let runs = 0;
  const service = Service.of(
    { tail },
    {
      async *tail() {
        runs += 1;
        yield "an item";
      },
    },
  );
  const onStream = (listener: typeof serve): void => {
    serve = listener;
  };
  new RpcNode({ carrier, streams: { openStream: async () => serving, onStream }, service, clock });
  const openStream = async () => {
    const [mine, theirs] = MemoryStream.pair();
    serve(peer, theirs);
    return mine;
  };
  const node = new RpcNode({ carrier, streams: { openStream, onStream: () => {} }, clock });
  const calls = node.caller({ tail: duplex({ up: TEXT, down: TEXT }) }, peer);
  const why = clock.runPromise(all(calls.tail(["x"])), 60_000);
  await expect(why).rejects.toMatchObject({ code: "CULVERT_UNKNOWN_METHOD", remote: true });
  expect(runs).toBe(0);
});
