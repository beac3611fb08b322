import { expect, it } from "vitest";
import { LINK_LIMITS } from "../../../src/link/index.ts";
import { StreamPath } from "../../../src/link/relay/stream-path.ts";
import { LinkWorld } from "../link-world.ts";

it("a path that is ended leaves nothing behind, although its peer ends nothing", async () => {
  const world = new LinkWorld();
  const [near, far] = [await world.add("192.0.2.1"), await world.add("192.0.2.2")];
  const paths: StreamPath[] = [];
  far.host.handle("path", (stream) => paths.push(new StreamPath(stream)));
  const link = await world.dial(near, far);
  const stream = await world.run(link.openStream("path"));
  const heard: Uint8Array[] = [];
  stream.on("error", () => {});
  stream.on("data", (bytes: Uint8Array) => heard.push(bytes));
  stream.write("hello");
  await world.pass(1_000);
  const [path] = paths;
  path?.start({ receive: () => {}, drained: () => {}, closed: () => {} });
  path?.write(Uint8Array.of(1, 2, 3));
  path?.close(false);
  await world.pass(2 * LINK_LIMITS.drainMs);
  expect(heard.map((bytes) => [...bytes])).toEqual([[1, 2, 3]]);
  expect(far.host.links().map(({ streamCount }) => streamCount)).toEqual([0]);
  await world.close();
});
