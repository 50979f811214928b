import { hostOf } from "../access/address.ts";
import { isLoopbackName } from "../access/origin.ts";
import { process } from "../runtime/mod.ts";
import { type Config, describeProblem } from "./config/mod.ts";
import type { KernelEnd } from "./kernel.ts";
import type { KernelService, RtspInfo } from "./kernel_service.ts";
import type { Log } from "./log.ts";
import type { Registry } from "./registry.ts";
import { holdsFor } from "./settings.ts";
import { CONTRACT_VERSION, REVISION, VERSION } from "./version.ts";

/** What the service is made of. */
export interface KernelFacts {
  readonly config: Config;
  readonly log: Log;
  readonly registry: Registry;
  plugins(): string[];
  setupLink(): string | undefined;
  /** The set-up token, which the log shows at start. */
  readonly token: string;
  isOpen(): boolean;
  end(end: KernelEnd): void;
}

/** Makes the service that the module of the application's own routes uses. */
export function makeKernelService(
  { config, log, registry, plugins, setupLink, token, isOpen, end }: KernelFacts,
): KernelService {
  return {
    version: CONTRACT_VERSION,
    lenswireVersion: VERSION,
    revision: REVISION,
    get configPath() {
      return config.path;
    },
    get setupLink() {
      return setupLink();
    },
    get isOpen() {
      return isOpen();
    },
    config: {
      text: () => config.text(),
      replace: (text, principal) => config.replace(text, holdsFor(principal, registry)),
      merge: (text, principal) => config.merge(text, holdsFor(principal, registry)),
      problems: () => config.problems.map(describeProblem),
    },
    log: {
      jsonLines: (principal) => principal.isTrusted ? log.jsonLines() : log.jsonLines().replaceAll(token, "***"),
      clear: () => log.clear(),
      mask: (text) => log.mask(text),
    },
    schemes: () => registry.schemes(),
    sniffers: () => registry.sniffers.values(),
    rtsp: () => rtspInfo(registry),
    plugins,
    exit: (code) => end({ kind: "exit", code }),
    restart: () => end({ kind: "restart" }),
  };
}

/** What the RTSP module provides as the service `rtsp`. */
interface RtspFacts {
  readonly listen: readonly string[];
  readonly port: number;
  readonly default_query: string;
  readonly pkt_size: number;
}

function rtspInfo(registry: Registry): RtspInfo | undefined {
  const facts = registry.services.get("rtsp") as RtspFacts | undefined;
  if (!facts) return undefined;
  const { listen, default_query, pkt_size } = facts;
  return { listen: listen[0] ?? "", default_query, ...(pkt_size > 0 ? { pkt_size } : {}) };
}

/** Whether an RTSP URL's host and port are this program's own server. */
export function isOwnRtsp(registry: Registry, host: string, port: number): boolean {
  const facts = registry.services.get("rtsp") as RtspFacts | undefined;
  if (!facts || facts.port === 0 || facts.port !== port) return false;
  const name = hostOf(host);
  return isLoopbackName(host) || process.interfaces().some(({ address }) => address === name);
}
