import { type Cancel, CulvertError, type Instant } from "../base/index.ts";
import { type ByteConnection, dialBytes } from "../io/byte-connection.ts";
import { systemClock } from "../io/clock.ts";
import type { Endpoint } from "../io/endpoint.ts";
import type { LinkEvents, MapGreeting } from "./service-link.ts";
import { WireLink, type WirePort } from "./wire-link.ts";

/** What happens on a contact once it is made. */
export interface ContactEvents extends Pick<LinkEvents, "answer" | "ready"> {
  /** The connection is gone, why ever; nothing follows. */
  lost(error: CulvertError): void;
}

/** One connection to a node, from its greeting to its loss. */
export class Contact {
  readonly greeting: MapGreeting;
  readonly link: WireLink;
  readonly #state: ContactState;

  private constructor(link: WireLink, greeting: MapGreeting, state: ContactState) {
    this.link = link;
    this.greeting = greeting;
    this.#state = state;
  }

  /**
   * Dials a node and waits for its greeting.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY` or `CULVERT_PROTOCOL`
   */
  static make(endpoint: Endpoint, connectMs: number): Promise<Contact> {
    return new Promise((resolve, reject) => {
      let connection: ByteConnection | undefined;
      let link: WireLink | undefined;
      let cancel: Cancel = () => {};
      const lose = (error: CulvertError): void => {
        if (state.lostBy !== undefined) return;
        state.lostBy = error;
        cancel();
        reject(error);
        connection?.close(true);
        state.events?.lost(error);
      };
      const state: ContactState = { events: undefined, lostBy: undefined, heardAt: 0, lose };
      const wire = {
        answer: (...answer: Parameters<LinkEvents["answer"]>) => state.events?.answer(...answer),
        ready: () => state.events?.ready(),
        greeted: (greeting: MapGreeting) => {
          cancel();
          if (link !== undefined) resolve(new Contact(link, greeting, state));
        },
        broken: lose,
      };
      connection = dialBytes(endpoint, {
        connected: () => {
          if (connection !== undefined) link = new WireLink(portOf(connection), wire);
        },
        receive: (bytes) => {
          state.heardAt = systemClock.now();
          link?.receive(bytes);
        },
        drained: () => link?.drained(),
        closed: (cause) => lose(new CulvertError("CULVERT_UNREACHABLE", undefined, { cause })),
      });
      const at = systemClock.now() + connectMs;
      cancel = systemClock.schedule(at, () => lose(new CulvertError("CULVERT_UNREACHABLE")));
    });
  }

  /** When the last byte came in. */
  get heardAt(): Instant {
    return this.#state.heardAt;
  }

  /** Cuts the connection. */
  drop(error: CulvertError): void {
    this.#state.lose(error);
  }

  /** Tells `events` from now on. */
  use(events: ContactEvents): void {
    this.#state.events = events;
    if (this.#state.lostBy !== undefined) events.lost(this.#state.lostBy);
  }
}

interface ContactState {
  events: ContactEvents | undefined;
  lostBy: CulvertError | undefined;
  heardAt: Instant;
  readonly lose: (error: CulvertError) => void;
}

function portOf(connection: ByteConnection): WirePort {
  return {
    write: (bytes) => connection.write(bytes),
    get unsentBytes() {
      return connection.unsentBytes;
    },
    close: () => connection.close(false),
  };
}
