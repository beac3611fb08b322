import { systemClock } from "../../io/clock.ts";
import { Answers } from "../answers.ts";
import { ModuleConnection } from "../module-connection.ts";
import { encodeRpsQuery, readRpsPeer, type SampledPeer } from "./rps-messages.ts";

const ANSWER_MS = 60_000;
const PEER = "peer";

/** A client of a module for random peer sampling: ours, or anybody's. */
export class VoidphoneRpsClient {
  readonly #connection: ModuleConnection<SampledPeer>;
  readonly #answers: Answers<SampledPeer>;

  private constructor(connection: ModuleConnection<SampledPeer>, answers: Answers<SampledPeer>) {
    this.#connection = connection;
    this.#answers = answers;
  }

  /**
   * Connects to a module at `HOST:PORT`.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, or `CULVERT_USAGE` for an endpoint that is none
   */
  static async connect(endpoint: string): Promise<VoidphoneRpsClient> {
    const answers = new Answers<SampledPeer>(systemClock, ANSWER_MS);
    const connection = await ModuleConnection.open(endpoint, readRpsPeer, {
      notice: (peer) => answers.settle(PEER, peer),
      closed: (error) => answers.fail(error),
    });
    return new VoidphoneRpsClient(connection, answers);
  }

  /**
   * A random peer.
   *
   * @throws CulvertError `CULVERT_CLOSED` when the module knows nobody, `CULVERT_TIMEOUT`
   */
  async query(): Promise<SampledPeer> {
    this.#connection.send(encodeRpsQuery());
    return await this.#answers.wait(PEER);
  }

  /** Ends the connection. */
  close(): void {
    this.#connection.close();
  }
}
