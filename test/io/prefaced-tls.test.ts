import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import {
  createSecureContext,
  type SecureVersion,
  connect as secureConnect,
  TLSSocket,
} from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { fromHex, SeededRandom, utf8 } from "../../src/base/index.ts";
import { ByteServer } from "../../src/io/byte-server.ts";
import { makeCertificate, readCertificate } from "../../src/io/certificate.ts";
import { connectPrefacedTls, prefacedTls, prefaceIn } from "../../src/io/prefaced-tls.ts";

const random = new SeededRandom(1);
const nodeId = random.bytes(32);
const ip = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1);
const claims = { nodeId, ip, unixMs: Date.now() };
const identity = makeCertificate(claims);

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A listener that does what it likes with a connection. */
async function listener(serve: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    ends.push(() => socket.destroy());
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  ends.push(() => server.close());
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

const dial = (port: number, signal?: AbortSignal) =>
  connectPrefacedTls(
    { kind: "tcp", host: "127.0.0.1", port },
    signal === undefined ? {} : { signal },
  );

function preface(text: Uint8Array, length = text.length): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(length);
  return Buffer.concat([prefix, text]);
}

describe("a certificate of ours", () => {
  const certificate = new X509Certificate(identity.certificate);

  test("is one that OpenSSL verifies, with the node's id and its address in it", () => {
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.ca).toBe(true);
    expect(certificate.subjectAltName).toContain("IP Address:0:0:0:0:0:FFFF:7F00:1");
    const hex = certificate.raw.toString("hex");
    expect(hex).toContain(`060a0992268993f22c6401010420${Buffer.from(nodeId).toString("hex")}`);
    expect(readCertificate(utf8(identity.certificate)).nodeId).toEqual(nodeId);
    expect(new Date(certificate.validTo).getTime()).toBeGreaterThan(Date.now() + 9 * 365 * 864e5);
  });

  test("is another one each time, and knows years with four digits", () => {
    const unixMs = Date.UTC(2049, 5);
    const late = new X509Certificate(makeCertificate({ ...claims, unixMs }).certificate);
    expect([late.validFrom, late.validTo]).toEqual([
      expect.stringContaining("2049"),
      expect.stringContaining("2059"),
    ]);
    expect(late.serialNumber).not.toBe(certificate.serialNumber);
  });

  test("is refused as CULVERT_PROTOCOL when it was cut, changed or is none", () => {
    const text = utf8(identity.certificate);
    for (let cut = 0; cut < text.length - 30; cut += 7) {
      expect(() => readCertificate(text.subarray(0, cut))).toThrow("certificate");
    }
    for (let turn = 0; turn < 2_000; turn++) {
      const changed = text.slice();
      changed[random.below(changed.length)] = random.below(256);
      try {
        readCertificate(changed);
      } catch (error) {
        expect(error).toMatchObject({ code: "CULVERT_PROTOCOL" });
      }
    }
    expect(() => readCertificate(new Uint8Array(16_385))).toThrow("too long");
  });
});

test("the preface of the peer that was shipped is read, and nothing less", () => {
  const path = new URL("../vectors/voidphone-preface.json", import.meta.url);
  const shipped: Record<"hex" | "nodeId", string> = JSON.parse(readFileSync(path, "utf8"));
  const bytes = fromHex(shipped.hex);
  const text = prefaceIn(bytes);
  if (!(text instanceof Uint8Array)) throw new Error("not read");
  expect(readCertificate(text).nodeId).toEqual(fromHex(shipped.nodeId));
  for (let cut = 0; cut < bytes.length; cut++) {
    expect(prefaceIn(bytes.subarray(0, cut))).toBeUndefined();
  }
});

describe("TLS behind a preface", () => {
  test("carries bytes both ways, and proves whose certificate it was", async () => {
    const server = await ByteServer.listen({
      endpoint: { kind: "tcp", host: "127.0.0.1", port: 0 },
      connectionsMax: 9,
      wrap: prefacedTls(identity),
      onConnection: (connection) =>
        connection.start({
          receive: (bytes) => connection.write(bytes),
          drained: () => {},
          closed: () => {},
        }),
    });
    ends.push(() => void server.close());
    if (server.endpoint.kind !== "tcp") throw new Error();
    const { connection, certificate } = await dial(server.endpoint.port);
    expect(certificate.nodeId).toEqual(nodeId);
    const sent = random.bytes(100_000);
    const echoed: Uint8Array[] = [];
    await new Promise<void>((resolve) => {
      connection.start({
        receive: (bytes) => {
          echoed.push(bytes);
          if (Buffer.concat(echoed).length >= sent.length) connection.close(false);
        },
        drained: () => {},
        closed: () => resolve(),
      });
      connection.write(sent.slice());
    });
    expect(new Uint8Array(Buffer.concat(echoed))).toEqual(sent);
  });

  test.each<[string, (socket: Socket) => void]>([
    ["closes at once", (socket) => socket.destroy()],
    ["closes within the length", (socket) => socket.end(Buffer.alloc(3))],
    ["closes within the certificate", (socket) => socket.end(preface(new Uint8Array(9), 99))],
    ["announces nothing", (socket) => socket.write(preface(new Uint8Array(0)))],
    ["announces 4 GiB", (socket) => socket.write(preface(new Uint8Array(9), 2 ** 32 - 1))],
    ["sends no certificate", (socket) => socket.write(preface(new Uint8Array(99)))],
    [
      "speaks on behind it",
      (socket) => socket.write(Buffer.concat([preface(utf8(identity.certificate)), ip])),
    ],
    [
      "speaks no TLS",
      (socket) => {
        socket.write(preface(utf8(identity.certificate)));
        socket.on("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
      },
    ],
    [
      "shows another certificate",
      (socket) => {
        socket.write(preface(utf8(identity.certificate)));
        const other = makeCertificate(claims);
        const context = { cert: other.certificate, key: other.privateKey };
        const secureContext = createSecureContext(context);
        new TLSSocket(socket, { isServer: true, secureContext }).on("error", () => {});
      },
    ],
    [
      "speaks an older TLS",
      (socket) => {
        socket.write(preface(utf8(identity.certificate)));
        const secureContext = createSecureContext({
          cert: identity.certificate,
          key: identity.privateKey,
          maxVersion: "TLSv1.2",
        });
        new TLSSocket(socket, { isServer: true, secureContext }).on("error", () => {});
      },
    ],
  ])("refuses a listener that %s", async (_name, serve) => {
    await expect(dial(await listener(serve))).rejects.toMatchObject({
      code: expect.stringMatching(/^CULVERT_(PROTOCOL|UNREACHABLE)$/),
    });
  });

  test.each<[SecureVersion, boolean]>([
    ["TLSv1.3", true],
    ["TLSv1.2", false],
  ])("as a listener takes %s: %s", async (maxVersion, isTaken) => {
    const wrap = prefacedTls(identity);
    const port = await listener((socket) => void wrap(socket).on("error", () => {}));
    const socket = connect(port, "127.0.0.1");
    ends.push(() => socket.destroy());
    const { length } = preface(utf8(identity.certificate));
    while (socket.readableLength < length) await once(socket, "readable");
    socket.read(length);
    const secure = secureConnect({ socket, maxVersion, rejectUnauthorized: false });
    const failed = once(secure, "secureConnect").then(
      () => undefined,
      (error: Error) => error,
    );
    expect((await failed) === undefined).toBe(isTaken);
  });

  test("is given up when it is aborted, wherever it stands", async () => {
    for (const bytes of [new Uint8Array(0), preface(utf8(identity.certificate))]) {
      const port = await listener((socket) => socket.write(bytes));
      const controller = new AbortController();
      const dialled = dial(port, controller.signal);
      setTimeout(() => controller.abort(), 30);
      await expect(dialled).rejects.toMatchObject({ name: "AbortError" });
    }
    await expect(dial(1, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
  });
});
