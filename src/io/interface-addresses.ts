import { networkInterfaces } from "node:os";

/** The IP addresses of this machine that others in its networks may reach it at. */
export function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => address);
}
