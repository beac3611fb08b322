import type { StreamMuxerInit } from "@libp2p/interface";

type Log = NonNullable<StreamMuxerInit["log"]>;

/** A log of libp2p's that says nothing. */
export const silent: Log = Object.assign(() => {}, {
  ...{ error() {}, trace() {}, enabled: false },
  newScope: () => silent,
});
