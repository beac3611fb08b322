import { Server } from "node:net";

/** The server of this process that listens at a port or a path. */
export function serverAt(portOrPath: number | string): Server {
  const handles: unknown = Reflect.apply(Reflect.get(process, "_getActiveHandles"), process, []);
  const found = (handles as unknown[]).find((handle): handle is Server => {
    const address = handle instanceof Server ? handle.address() : null;
    return (typeof address === "object" ? address?.port : address) === portOrPath;
  });
  if (found === undefined) throw new Error("nobody listens there");
  return found;
}
