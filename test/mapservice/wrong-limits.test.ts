import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { connectMap, localCarrier, startMapServer } from "../../src/mapservice/index.ts";
import { serviceRig } from "./fixtures.ts";

it.each([undefined, "256", Number.NaN, -1])(
  "a limit of %s is refused: nothing would be bounded by it",
  async (value) => {
    const of = (name: string): object => ({ [name]: value });
    const refused = "must be a positive number";
    const { service } = serviceRig();
    expect(() => localCarrier(service, { limits: of("answerMs") })).toThrow(refused);
    // Nobody is dialled, and no folder is held.
    await expect(connectMap("127.0.0.1:1", { limits: of("openMax") })).rejects.toThrow(refused);
    const directory = await mkdtemp(join(tmpdir(), "culvert-limits-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const options = { listen: ["127.0.0.1:0"], payloadSize: 1_024, directory };
    const starting = startMapServer({ ...options, sessionLimits: of("idleMs") });
    await expect(starting).rejects.toThrow(refused);
    await (await startMapServer(options)).close();
  },
);
