export { settle } from "./settle.ts";
export { VirtualClock } from "./virtual-clock.ts";
