import { SeededRandom } from "../../src/base/index.ts";
import { Contact } from "../../src/dht/wire/contact.ts";
import { byteText, type KeyText, textBytes } from "../../src/dht/wire/key.ts";
import { publicHost } from "../../src/testing/swarm/swarm.ts";

/** A contact with this id, or a random one, in a network of its own or the one given. */
export function contactAt(id: KeyText | Uint8Array, host: string = hostOf(id)): Contact {
  const bytes = typeof id === "string" ? textBytes(id) : id;
  return Contact.of(bytes, { addresses: [{ carrier: "udp", host, port: 7000 }] });
}

/** So many contacts with random ids, each in a network of its own. */
export function randomContacts(seed: number, count: number): Contact[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, (_, i) => contactAt(random.bytes(32), publicHost(i)));
}

/** The same, each heard where it says that it is, or at the host made for its number. */
export function heardContacts(
  seed: number,
  count: number,
  hostOf: (i: number) => string = publicHost,
): Contact[] {
  return randomContacts(seed, count).map(({ key }, i) => {
    return contactAt(key, hostOf(i)).heardAt(hostOf(i));
  });
}

/** A key whose first bytes are these, and whose other ones are zero. */
export function keyWith(...head: readonly number[]): KeyText {
  const bytes = new Uint8Array(32);
  bytes.set(head);
  return byteText(bytes);
}

function hostOf(id: KeyText | Uint8Array): string {
  const bytes = typeof id === "string" ? textBytes(id) : id;
  return `${64 + ((bytes[0] ?? 0) >> 3)}.${bytes[1]}.${bytes[2]}.1`;
}
