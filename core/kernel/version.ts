import deno from "../../deno.json" with { type: "json" };
import { process } from "../runtime/mod.ts";

/** The version of the compatibility contract: what `/api` and `-version` report, because clients check it (contract §11.1). */
export const CONTRACT_VERSION = "1.9.14";

/** Lenswire's own version. */
export const VERSION: string = deno.version;

/** What stands where the reference names its commit. */
export const REVISION: string = `lenswire-${VERSION}`;

const SYSTEMS: Readonly<Record<string, string>> = { win32: "windows" };
const MACHINES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  x64: "amd64",
  aarch64: "arm64",
  ia32: "386",
};

/** The system in the contract's words, for example `linux/amd64`. */
export function platformName(system: string = process.platform, machine: string = process.arch): string {
  return `${SYSTEMS[system] ?? system}/${MACHINES[machine] ?? machine}`;
}

/** What `-version` prints (contract §1.1). */
export function contractVersionLine(): string {
  return `go2rtc version ${CONTRACT_VERSION} (${REVISION}) ${platformName()}`;
}

/** What `--version` prints. */
export function versionLine(): string {
  return `lenswire ${VERSION}`;
}
