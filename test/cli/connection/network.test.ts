import { expect, it } from "vitest";
import { CulvertError, type ErrorCode } from "../../../src/base/index.ts";
import { withNetworkHint } from "../../../src/cli/connection/network.ts";
import { explain } from "../../../src/cli/failure.ts";

it("what cannot be used of a network comes with what to do about it", () => {
  const hintOf = (code: ErrorCode, detail: Record<string, number | string> = {}): string =>
    explain(withNetworkHint(new CulvertError(code, undefined, { detail }))).hint;
  expect(hintOf("CULVERT_UNREACHABLE", { relays: 3, nodes: 2 })).toMatch(/^start more nodes/);
  expect(hintOf("CULVERT_UNREACHABLE", { relays: 3, hopsMax: 2 })).toMatch(/onion-hops-max/);
  expect(hintOf("CULVERT_UNREACHABLE")).toMatch(/^check --nodes/);
  expect(hintOf("CULVERT_UNREACHABLE", { clock: "off" })).toBe("set the clock of this machine");
  expect(hintOf("CULVERT_GEOMETRY_CHANGED")).toBe("name nodes of one network only");
  const other = new Error("not ours");
  expect(withNetworkHint(other)).toBe(other);
});
