/** Two streams that talk, end, and are not touched any more: nothing may keep the process. */
import { pair } from "culvert/testing";

const { a, b } = await pair({ loss: 0.2, rtt: 20, seed: 5 });
b.on("data", (chunk) => b.write(chunk)).on("end", () => b.end());
a.end("hello");
for await (const chunk of a) process.stdout.write(chunk);
