import assert from "node:assert/strict";
import type { InterfaceAddress } from "../../core/mod.ts";
import { type CandidateFilters, chooseAddresses, udpPortRange } from "./filters.ts";

function address(name: string, text: string): InterfaceAddress {
  return { name, address: text, family: text.includes(":") ? "IPv6" : "IPv4", cidr: `${text}/24` };
}

const LO = [address("lo", "127.0.0.1"), address("lo", "::1")];
const LAN = address("eth0", "192.168.1.5");
const LAN6 = address("eth0", "2001:db8::5");
const LINK = address("eth0", "fe80::1");
const DOCKER = address("docker0", "172.17.0.1");
const WIFI = address("wlan0", "10.0.0.9");
const ALL = [...LO, LAN, LAN6, LINK, DOCKER, WIFI];

/** Bound addresses; those that peers are told of have a star. */
function chosen(
  filters: CandidateFilters,
  options: { host?: string; manualHosts?: string[]; interfaces?: InterfaceAddress[] } = {},
): string {
  const { host = "", manualHosts = [], interfaces = ALL } = options;
  return chooseAddresses(interfaces, { host, filters, manualHosts })
    .map((local) => `${local.host}${local.isAdvertised ? "*" : ""}`).join(" ");
}

Deno.test("chooseAddresses() takes all interfaces, and keeps those of containers to itself", () => {
  assert.equal(chosen({}), "192.168.1.5* 2001:db8::5* 172.17.0.1 10.0.0.9*");
  assert.equal(chosen({}, { host: "0.0.0.0" }), "192.168.1.5* 172.17.0.1 10.0.0.9*");
});

Deno.test("chooseAddresses() tells of a container's address when it is named, or when there is nothing else", () => {
  assert.equal(chosen({}, { interfaces: [...LO, DOCKER] }), "172.17.0.1*");
  assert.equal(chosen({}, { interfaces: [...LO, DOCKER], manualHosts: ["203.0.113.9"] }), "172.17.0.1");
  assert.equal(chosen({ ips: ["172.17.0.1", "10.0.0.9"] }), "172.17.0.1* 10.0.0.9*");
  assert.equal(chosen({}, { host: "172.17.0.1" }), "172.17.0.1*");
});

Deno.test("chooseAddresses() honours each filter", () => {
  assert.equal(chosen({ interfaces: ["eth0"] }), "192.168.1.5* 2001:db8::5*");
  assert.equal(chosen({ interfaces: ["none"] }), "");
  assert.equal(chosen({ ips: ["10.0.0.9", "2001:0db8:0::5"] }), "2001:db8::5* 10.0.0.9*");
  assert.equal(chosen({ networks: ["udp4"] }), "192.168.1.5* 172.17.0.1 10.0.0.9*");
  assert.equal(chosen({ networks: ["tcp6"] }), "2001:db8::5*");
  assert.equal(chosen({ candidates: ["10.0.0.9"] }), "192.168.1.5 2001:db8::5 172.17.0.1 10.0.0.9*");
  assert.equal(chosen({ candidates: [] }), "192.168.1.5 2001:db8::5 172.17.0.1 10.0.0.9");
});

Deno.test("chooseAddresses() takes loopback when asked, named, listened at, or alone", () => {
  assert.equal(chosen({ loopback: true }, { interfaces: [...LO, LAN] }), "192.168.1.5* 127.0.0.1* ::1*");
  assert.equal(chosen({}, { interfaces: [...LO, LAN], manualHosts: ["127.0.0.1"] }), "192.168.1.5* 127.0.0.1");
  assert.equal(chosen({}, { interfaces: [...LO, LAN], manualHosts: ["localhost"] }), "192.168.1.5* 127.0.0.1 ::1");
  assert.equal(chosen({}, { host: "127.0.0.1" }), "127.0.0.1*");
  assert.equal(chosen({}, { host: "localhost", manualHosts: ["127.0.0.1"] }), "127.0.0.1*");
  assert.equal(chosen({}, { interfaces: LO }), "127.0.0.1* ::1*");
});

Deno.test("chooseAddresses() explains a host that is no address", () => {
  assert.throws(() => chosen({}, { host: "my.name" }), { name: "TypeError", message: /Cannot listen on "my.name"/ });
});

Deno.test("udpPortRange() takes exactly two ports in order", () => {
  assert.equal(udpPortRange({}), undefined);
  assert.deepEqual(udpPortRange({ udp_ports: [50_000, 50_100] }), [50_000, 50_100]);
  for (const bad of [[], [1], [1, 2, 3], [5, 4], [0, 5], [1, 70_000], [1.5, 2]]) {
    assert.throws(() => udpPortRange({ udp_ports: bad }), TypeError);
  }
});
