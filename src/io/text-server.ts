import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { listenAt } from "./byte-server.ts";
import type { HostPort } from "./endpoint.ts";

/** A page of plain text that a server shows. */
export interface TextPage {
  readonly path: string;
  readonly contentType: string;
  readonly text: () => Promise<string>;
}

/** Connections and time that one asker gets: it is a page, not a service. */
const CONNECTIONS_MAX = 16;
const REQUEST_MS = 5_000;

/**
 * Serves one page over HTTP. Anything else is 404.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE` when nothing can listen there
 */
export async function serveText(
  where: HostPort,
  page: TextPage,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    request.resume();
    if (request.method !== "GET" || request.url !== page.path) {
      response.writeHead(404).end();
      return;
    }
    page.text().then(
      (text) => response.writeHead(200, { "content-type": page.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listenAt(server, { kind: "tcp", ...where });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
