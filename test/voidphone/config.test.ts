import { describe, expect, test } from "vitest";
import { isCulvertError } from "../../src/base/index.ts";
import { readVoidphoneConfig } from "../../src/voidphone/index.ts";

const WHOLE = [
  "; for all modules of this host",
  "hostkey = /etc/voidphone/hostkey.pem",
  "",
  "[gossip]",
  "cache_size = 50",
  "api_address = nonsense",
  "",
  "[dht]",
  'api_address = "127.0.0.1:7401"',
  "p2p_address = [2001:db8::1]:7402",
  "# of another program",
  "k = 20",
  "[onion]",
  "API_ADDRESS=localhost:7501",
];

describe("the configuration of VoidPhone's modules", () => {
  test.each(["\n", "\r\n"])("is read with either end of line", (end) => {
    expect(readVoidphoneConfig(`\uFEFF${WHOLE.join(end)}`)).toEqual({
      hostkey: "/etc/voidphone/hostkey.pem",
      dht: { api: "127.0.0.1:7401", p2p: { host: "2001:db8::1", port: 7402 } },
      onion: { api: "localhost:7501" },
    });
  });

  // As files of other modules have them, that their readers cut off.
  test.each([
    ["127.0.0.1:7401 ; in the open", "127.0.0.1:7401"],
    ["127.0.0.1:7401\t# in the open", "127.0.0.1:7401"],
    ['"127.0.0.1:7401" ; in the open', "127.0.0.1:7401"],
    ["tcphost:7401", "tcphost:7401"],
    ["tcp:7401", "tcp:7401"],
  ])("a comment ends the line of a value: %s", (value, api) => {
    const text = `hostkey = /k;1#2.pem   ; of this host\n[dht] ; ours\napi_address = ${value}\n`;
    expect(readVoidphoneConfig(text)).toEqual({ hostkey: "/k;1#2.pem", dht: { api } });
  });

  test("a value in quotes keeps what looks like a comment", () => {
    const text = 'hostkey = "/k ; 1.pem" # "quoted"\n[dht]\napi_address = h:1\n';
    expect(readVoidphoneConfig(text).hostkey).toBe("/k ; 1.pem");
  });

  test("the hostkey is also found where modules in Python have it", () => {
    const section = "[dht]\napi_address = h:1\n";
    expect(readVoidphoneConfig(`[DEFAULT]\nhostkey = k\n${section}`).hostkey).toBe("k");
    expect(readVoidphoneConfig(`hostkey = k\n[DEFAULT]\nhostkey = l\n${section}`).hostkey).toBe(
      "k",
    );
  });

  const head = "hostkey = k\n";
  test.each<[string, string, number, string]>([
    ["nothing", "", 1, "no hostkey"],
    ["no hostkey", "[dht]\napi_address = h:1\n", 1, "no hostkey"],
    ["a hostkey within a section", "[dht]\nhostkey = k\napi_address = h:1\n", 1, "no hostkey"],
    ["nothing but a comment for a hostkey", "hostkey = ; k\n", 1, "empty"],
    ["an empty hostkey", "\nhostkey =\n[dht]\napi_address = h:1\n", 2, "empty"],
    ["no section", `${head}api_address = h:1\n`, 1, "no section"],
    ["sections of others alone", `${head}[gossip]\n`, 1, "no section"],
    ["a section in capitals", `${head}\n[DHT]\napi_address = h:1\n`, 3, "lower case: [dht]"],
    ["a section twice", `${head}[dht]\napi_address = h:1\n[dht]\n`, 4, "in line 2 already"],
    ["a key twice", `${head}[dht]\napi_address = h:1\napi_address = h:2\n`, 4, "in line 3"],
    ["a key twice by its case", `${head}HostKey = k\n`, 2, "in line 1"],
    ["no address of the API", `${head}[onion]\np2p_address = h:1\n`, 2, "no api_address"],
    ["nor behind a section of others", `${head}[dht2]\n[dht]\n`, 3, "no api_address"],
    ["nor in a section with room", `${head}[ dht ]\n`, 2, "no api_address"],
    ["an address without a port", `${head}[dht]\napi_address = host\n`, 3, '"host" is neither'],
    ["a port that is none", `${head}[dht]\napi_address = host:65536\n`, 3, "neither"],
    ["an IPv6 address without brackets", `${head}[dht]\napi_address = ::1:80\n`, 3, "neither"],
    ["a path", `${head}[dht]\napi_address = unix:/a\n`, 3, "neither"],
    ["an endpoint of ours", `${head}[dht]\napi_address = tcp:h:1\n`, 3, "neither"],
    ["the same of IPv6", `${head}[dht]\napi_address = tcp [::1]:1\n`, 3, "neither"],
    [
      "a bad address of peers",
      `${head}[dht]\napi_address = h:1\np2p_address =\n`,
      4,
      "p2p_address",
    ],
    ["a line that says nothing", `${head}[dht]\nwhat\n`, 3, "neither a section nor"],
    ["a value without a key", `${head}= 5\n`, 2, "neither a section nor"],
    ["a section without an end", `${head}[dht\n`, 2, "looks like"],
    ["a section without a name", `${head}[ ]\n`, 2, "looks like"],
    ["too much", "x".repeat(300_000), 1, "too long"],
  ])("is refused with line and cause: %s", (_name, text, line, why) => {
    let caught: unknown;
    try {
      readVoidphoneConfig(text);
    } catch (error) {
      caught = error;
    }
    if (!isCulvertError(caught, "CULVERT_USAGE")) throw new Error("taken", { cause: caught });
    expect(caught.detail).toEqual({ line });
    expect(caught.message).toContain(`line ${line}: `);
    expect(caught.message).toContain(why);
  });
});
