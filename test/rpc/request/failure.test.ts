import { expect, it } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import {
  encodeFailure,
  FAILURE_BYTES_MAX,
  failureOf,
  readFailure,
} from "../../../src/rpc/request/failure.ts";

it.each(["x", "\u20ac", "\u{1f600}"])("of an error 256 units of the message cross: %s", (sign) => {
  const error = new CulvertError("CULVERT_FULL", sign.repeat(5_000));
  const bytes = encodeFailure(failureOf(error));
  expect(bytes.length).toBeLessThanOrEqual(FAILURE_BYTES_MAX);
  const { code, message, remote } = readFailure(bytes);
  expect([code, message.length, remote]).toEqual(["CULVERT_FULL", 256, true]);
});

it("of an error that is no CulvertError nothing crosses but that there was one", () => {
  const read = readFailure(encodeFailure(failureOf(new Error("a path, a key"))));
  expect([read.code, read.message]).toEqual(["CULVERT_INTERNAL", "the handler failed"]);
});
