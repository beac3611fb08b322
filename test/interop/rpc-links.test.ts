import { describe, test } from "vitest";
import { systemClock } from "../../src/io/clock.ts";
import { rpcCompliance } from "../../src/testing/index.ts";
import { linkPair } from "../node/links/link-pair.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

describe.each(["tcp", "udp"] as const)("over links on the loopback, %s", (carrier) => {
  rpcCompliance(test, async () => {
    const pair = await linkPair(systemClock, () => ({ [carrier]: LOOPBACK }));
    const elapse = <T>(promise: Promise<T>): Promise<T> => promise;
    const { a, b, close: teardown } = pair;
    return { a, b, clock: systemClock, elapse, teardown };
  });
});
