import { expect, test } from "vitest";
import { formatEndpoint, parseEndpoint } from "../../src/cli/endpoint.ts";

test("addresses of a Map are read and written in one form", () => {
  expect(parseEndpoint("127.0.0.1:7000")).toEqual({ kind: "tcp", host: "127.0.0.1", port: 7000 });
  expect(parseEndpoint("[::1]:0")).toEqual({ kind: "tcp", host: "::1", port: 0 });
  expect(parseEndpoint("unix:/a b:1")).toEqual({ kind: "unix", path: "/a b:1" });
  for (const text of ["map.example:65535", "[::1]:7000", "unix:m.sock"]) {
    expect(formatEndpoint(parseEndpoint(text))).toBe(text);
  }
});

test("anything else is a usage error", () => {
  const bad = ["", "host", "host:", ":1", "host:65536", "::1:7000", "a b:1", "unix:", "http://a:1"];
  for (const text of bad) expect(() => parseEndpoint(text), text).toThrow("is no address");
});
