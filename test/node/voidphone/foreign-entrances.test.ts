import { expect, it } from "vitest";
import { SILENT } from "../../../src/base/index.ts";
import { VoidphoneServers } from "../../../src/node/voidphone/voidphone-servers.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const none = { api: undefined, onion: undefined, rps: undefined, midterm: undefined };
const CONFIG = { ...none, final: undefined, midtermPeers: [], finalPeers: [] };

it.each(["192.0.2.7", "192.0.2.7:0", "unix:/a", "192.0.2.7:65536"])(
  "a node is not started with the foreign peer %s, at which nobody can be joined",
  async (peer) => {
    const parts: Parameters<typeof VoidphoneServers.start>[1] = Object.assign(Object.create(null), {
      ...{ id: new Uint8Array(32), clock: new VirtualClock(), log: SILENT },
    });
    const config = { ...CONFIG, midterm: "127.0.0.1:0", midtermPeers: [peer] };
    await expect(VoidphoneServers.start(config, parts)).rejects.toMatchObject({
      code: "CULVERT_USAGE",
      message: expect.stringContaining(`"${peer}" is no HOST:PORT of a foreign peer`),
    });
  },
);
