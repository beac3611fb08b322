import { expect, test } from "vitest";
import { type MapAnswer, type Requester, ServiceCarrier } from "../../../src/mapservice/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { addressOf, NODE, PAYLOAD_SIZE, recordOf } from "../fixtures.ts";

const GREETING = {
  ...{ payloadSize: PAYLOAD_SIZE, nodeKey: NODE.publicKey, workBits: 0 },
  ...{ ttlSecondsMax: 3_600, waitMsMax: 300_000 },
};

/** A carrier, and requesters that note what they are asked. */
function carrierOf() {
  const clock = new VirtualClock();
  const carrier = new ServiceCarrier({ clock }, { greeting: GREETING });
  const asked: string[] = [];
  const attach = ({ isCongested = false, answer }: { isCongested?: boolean; answer?: Answer }) => {
    const tell = (request: number): void => {
      const told = answer?.(asked.length);
      if (told !== undefined) queueMicrotask(() => carrier.events().answer(request, told));
    };
    const requester: Requester = {
      isCongested,
      put: (request) => {
        asked.push("put");
        tell(request);
      },
      get: (_request, _address, waitMs) => void asked.push(`get ${waitMs}`),
      cancel: () => void asked.push("cancel"),
      close: () => undefined,
    };
    carrier.attach(requester, GREETING);
  };
  return { clock, carrier, asked, attach };
}

/** What is said of the request that comes as number `at`. */
type Answer = (at: number) => MapAnswer;

test("what was not sent when a requester is lost is sent by the next one", async () => {
  const { clock, carrier, asked, attach } = carrierOf();
  attach({ isCongested: true });
  const put = carrier.put(recordOf(1));
  carrier.detach();
  expect([carrier.openRequests, asked]).toEqual([1, []]);
  attach({ answer: () => ({ kind: "stored", ttlSeconds: 9 }) });
  expect(await clock.runPromise(put)).toMatchObject({ ttlSeconds: 9 });
  expect(asked).toEqual(["put"]);
});

test("a get that is taken back before it was sent is nobody's to cancel", async () => {
  const { carrier, asked, attach } = carrierOf();
  attach({ isCongested: true });
  const abort = new AbortController();
  const get = carrier.get(addressOf(1), { signal: abort.signal });
  abort.abort();
  await expect(get).rejects.toMatchObject({ name: "AbortError" });
  expect(asked).toEqual([]);
});

test("no get asks to wait for longer than the node lets it", () => {
  const { carrier, asked, attach } = carrierOf();
  attach({});
  for (const waitMs of [1e9, 5, -1]) carrier.get(addressOf(1), { waitMs }).catch(() => undefined);
  expect(asked).toEqual(["get 300000", "get 5", "get 0"]);
});

test("a node that asks for more work each time is believed three times", async () => {
  const { clock, carrier, asked, attach } = carrierOf();
  attach({ answer: (at) => ({ kind: "work-required", bits: at }) });
  const put = clock.runPromise(carrier.put(recordOf(1)));
  await expect(put).rejects.toMatchObject({ code: "CULVERT_WORK_REQUIRED", detail: { bits: 3 } });
  expect(asked).toEqual(["put", "put", "put"]);
});
