/**
 * A Map node as a process of its own, to be killed: `map-node.ts SOCKET FOLDER PAYLOAD-SIZE`. Says
 * `ready` once it listens, and ends in order when its input does.
 */
import { startMapServer } from "../src/mapservice/index.ts";

const [socket, directory, payloadSize] = process.argv.slice(2);
if (socket === undefined || directory === undefined) throw new Error("SOCKET FOLDER PAYLOAD-SIZE");

const server = await startMapServer({
  listen: [`unix:${socket}`],
  directory,
  payloadSize: Number(payloadSize),
});
process.stdout.write("ready\n");
process.stdin.resume();
process.stdin.once("end", () => void server.close());
