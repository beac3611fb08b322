/** The other process of `bench/rpc.ts`: answers its calls, and echoes what has none around it. */
import { once } from "node:events";
import { createServer } from "node:net";
import { echoBack, LOOPBACK, openRpcNode, type RpcPeer } from "./rpc-node.ts";

const { host, descriptor } = await openRpcNode(2);
host.handle("bench", (stream) => echoBack(stream));
const server = createServer({ noDelay: true }, echoBack);
server.listen(LOOPBACK.port, LOOPBACK.host);
await once(server, "listening");
const address = server.address();
if (typeof address !== "object" || address === null) throw new Error("a port is bound");
const ready: RpcPeer = {
  descriptor: Buffer.from(descriptor.toBytes()).toString("base64"),
  socketPort: address.port,
};
process.send?.(ready);
process.on("disconnect", () => process.exit(0));
