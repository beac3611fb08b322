/** What every node and client of ours says before anything else: others are not understood. */
export const NETWORK_NAME = "culvert/v1";
