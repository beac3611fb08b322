/** The other process of `bench/rpc.ts`: answers its calls, and echoes what has none around it. */
import { once } from "node:events";
import { createSecureServer } from "node:http2";
import { type AddressInfo, createServer, type Server } from "node:net";
import { selfSigned } from "../test/interop/certificate.ts";
import { echoBack, LOOPBACK, openRpcNode, type RpcPeer } from "./rpc-node.ts";

const { host, descriptor } = await openRpcNode(2);
host.handle("bench", (stream) => echoBack(stream));
const http2 = createSecureServer(selfSigned("localhost"));
http2.on("stream", (stream) => {
  stream.respond({ ":status": 200 });
  stream.pipe(stream);
});
const ready: RpcPeer = {
  descriptor: Buffer.from(descriptor.toBytes()).toString("base64"),
  socketPort: await listen(createServer({ noDelay: true }, echoBack)),
  http2Port: await listen(http2),
};
process.send?.(ready);
process.on("disconnect", () => process.exit(0));

async function listen(server: Server): Promise<number> {
  server.listen(LOOPBACK.port, LOOPBACK.host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
