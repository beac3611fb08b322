import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { connect, createServer, type TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import { selfSigned } from "./certificate.ts";
import { cross, WAYS } from "./ways.ts";

const identity = selfSigned("culvert.example");

describe.each(WAYS)("tls over %s", (_name, way) => {
  it.each(["TLSv1.2", "TLSv1.3"] as const)("speaks %s and ends both ways", async (version) => {
    await cross(way, async ({ a, b }) => {
      const server = createServer({ ...identity, minVersion: version, maxVersion: version });
      const echoed = once(server, "secureConnection").then(([socket]: TLSSocket[]) => {
        if (socket === undefined) throw new Error("no connection");
        return pipeline(socket, socket);
      });
      server.emit("connection", b);
      const client = connect({ socket: a, servername: "culvert.example", ca: identity.cert });
      await once(client, "secureConnect");
      expect([client.authorized, client.getProtocol()]).toEqual([true, version]);
      const body = randomBytes(150_000);
      client.end(body);
      expect(body.equals(await buffer(client))).toBe(true);
      await echoed;
      server.close();
    });
  });

  it("refuses a certificate that it does not know", async () => {
    await cross(
      way,
      async ({ a, b }) => {
        const server = createServer(identity).on("tlsClientError", () => {});
        server.emit("connection", b);
        const client = connect({ socket: a, servername: "culvert.example" });
        const [error] = await once(client, "error");
        expect(error.code).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
        server.close();
      },
      { isAborted: true },
    );
  });
});
