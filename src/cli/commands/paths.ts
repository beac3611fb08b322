import type { RunCommand } from "../arguments/command-spec.ts";

/** `culvert paths`: which folders are used, whether they are there yet or not. */
export const paths: RunCommand = async ({
  output,
  paths: { sessions, mapStore, node, client },
}) => {
  if (output.isJson) return output.tell("paths", { sessions, mapStore, node, client });
  const lines = [
    ["unfinished work", sessions],
    ["records of a Map", mapStore],
    ["a node", node],
    ["a client", client],
  ].map(([what = "", path]) => `${what.padEnd(17)} ${path}\n`);
  output.payload(lines.join(""));
};
