import type { RunCommand } from "../command-spec.ts";

/** `culvert paths`: which folders are used, whether they are there yet or not. */
export const paths: RunCommand = async ({ output, paths: { sessions, mapStore } }) => {
  if (output.isJson) output.tell("paths", { sessions, mapStore });
  else output.payload(`unfinished work   ${sessions}\nrecords of a Map  ${mapStore}\n`);
};
