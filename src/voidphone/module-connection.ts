import { CulvertError, isCulvertError } from "../base/index.ts";
import type { ByteConnection } from "../io/byte-connection.ts";
import { connectBytes } from "../io/connect-socket.ts";
import { requireEndpoint } from "../io/endpoint.ts";
import { MessageBuffer } from "./message.ts";

/** What a client of a module hears. Must not throw. */
export interface ModuleEvents<Notice> {
  notice(notice: Notice): void;
  /** The connection is over; nothing follows. */
  closed(error: CulvertError): void;
}

/** The client's side of a connection to one of VoidPhone's modules. */
export class ModuleConnection<Notice> {
  readonly #connection: ByteConnection;
  readonly #read: (message: Uint8Array) => Notice;
  readonly #events: ModuleEvents<Notice>;
  readonly #buffer = new MessageBuffer();
  #isClosed = false;

  private constructor(
    connection: ByteConnection,
    read: (message: Uint8Array) => Notice,
    events: ModuleEvents<Notice>,
  ) {
    this.#connection = connection;
    this.#read = read;
    this.#events = events;
  }

  /**
   * @param read throws CulvertError `CULVERT_PROTOCOL` for what a module does not say
   * @throws CulvertError `CULVERT_UNREACHABLE`, or `CULVERT_USAGE` for an endpoint that is none
   */
  static async open<Notice>(
    endpoint: string,
    read: (message: Uint8Array) => Notice,
    events: ModuleEvents<Notice>,
  ): Promise<ModuleConnection<Notice>> {
    const connection = await connectBytes(requireEndpoint(endpoint));
    const opened = new ModuleConnection(connection, read, events);
    connection.start({
      receive: (bytes) => opened.#receive(bytes),
      drained: () => {},
      closed: (cause) => {
        opened.#end(new CulvertError("CULVERT_CLOSED", "the module has closed", { cause }));
      },
    });
    return opened;
  }

  /** Sends one message, which is handed over. */
  send(message: Uint8Array): void {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    this.#connection.write(message);
  }

  /** Ends the connection after what was sent. */
  close(): void {
    this.#end(new CulvertError("CULVERT_CLOSED"));
    this.#connection.close(false);
  }

  #receive(bytes: Uint8Array): void {
    try {
      this.#buffer.push(bytes);
      while (!this.#isClosed) {
        const message = this.#buffer.take();
        if (message === undefined) return;
        this.#events.notice(this.#read(message));
      }
    } catch (error) {
      if (!isCulvertError(error, "CULVERT_PROTOCOL")) throw error;
      this.#end(error);
      this.#connection.close(true);
    }
  }

  #end(error: CulvertError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events.closed(error);
  }
}
