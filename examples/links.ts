// Two nodes and a link between them: streams that look like sockets, and datagrams.
import { NodeIdentity } from "culvert/identity";
import { openLinkHost } from "culvert/link";

// A node is its 32 secret bytes: keep them, and it is the same one tomorrow.
const newcomer = () => new NodeIdentity(crypto.getRandomValues(new Uint8Array(32)));
const at = { host: "127.0.0.1", port: 0 };
const network = "example";
const server = await openLinkHost({ identity: newcomer(), network, udp: at, tcp: at });
const client = await openLinkHost({ identity: newcomer(), network, udp: at, tcp: at });

// A handler has the whole stream; whoever opens it names the protocol.
server.handle("echo", (stream) => stream.pipe(stream));
server.onDatagram("news", (bytes, link) => link.sendDatagram("news", bytes));

const link = await client.dial({ id: server.id, addresses: server.addresses });
const stream = await link.openStream("echo", { priority: "urgent" });
stream.end("said and heard\n");
for await (const chunk of stream) process.stdout.write(chunk);

const news = new Promise((resolve) => link.onDatagram("news", resolve));
link.sendDatagram("news", Uint8Array.of(1, 2, 3)); // may be lost; here it is not
console.log(await news);

await client.close({ graceful: true }); // streams that are open may end first
await server.close();
