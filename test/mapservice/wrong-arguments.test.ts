import {
  connectMapBy,
  LevelRecordStore,
  MapClient,
  MemoryRecordStore,
  startMapServer,
} from "culvert/mapservice";
import { expect, it } from "vitest";
import { given, ODD } from "../odd-arguments.ts";

it("a client is over a carrier, and over no promise of one", () => {
  for (const carrier of [...ODD, Promise.resolve({})]) {
    const make = () => new MapClient(given(carrier));
    expect(make).toThrow(TypeError);
    expect(make).toThrow("carrier must be an object with put and get");
  }
});

it.each([undefined, null, true, "1000", Number.NaN, 0, -1])(
  "a store whose sizes are %s is refused: nothing would be bounded by it",
  async (value) => {
    const sizes = { payloadSize: 1_024, entriesMax: 10, bytesMax: 20_000 };
    for (const name of Object.keys(sizes)) {
      const wrong = { ...sizes, [name]: value };
      expect(() => new MemoryRecordStore(wrong)).toThrow(`${name} must be a positive number`);
      // Nothing is opened: there is no such folder.
      const opening = LevelRecordStore.open({ ...wrong, path: "/dev/null/nothing" });
      await expect(opening).rejects.toThrow(`${name} must be a positive number`);
    }
  },
);

it("a server listens at a list of places", async () => {
  for (const options of [undefined, null, "x"]) {
    await expect(startMapServer(given(options))).rejects.toThrow("options must be an object");
  }
  for (const listen of ODD.filter((value) => !Array.isArray(value))) {
    const starting = startMapServer({ listen: given(listen), payloadSize: 1_024 });
    await expect(starting).rejects.toThrow("listen must be an array");
  }
});

it("what dials a Map returns a connection: to wait for one crashed the program", async () => {
  for (const connection of ODD) {
    const connecting = connectMapBy(() => given(connection));
    await expect(connecting).rejects.toThrow("what a dial returns must be an object");
  }
});
