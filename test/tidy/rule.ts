import type { Tree } from "./source.ts";

/** Walks a tree and complains, one line for each offence, with path and line number. */
export type Rule = (tree: Tree) => string[];
