/** One stream gives up in the middle: the other one hears of it, and nothing keeps the process. */
import { pair } from "culvert/testing";

const { a, b } = await pair({ loss: 0.2, rtt: 20, seed: 6 });
b.on("error", ({ message }) => process.stdout.write(message));
b.once("data", () => a.destroy());
a.write("hello");
