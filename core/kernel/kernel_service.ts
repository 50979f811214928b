import type { Principal } from "../access/types.ts";
import type { Sniffer } from "./plugin.ts";

/** The section `rtsp` as `/api` shows it (contract §3.3). */
export interface RtspInfo {
  readonly listen: string;
  readonly default_query: string;
  readonly pkt_size?: number;
}

/**
 * What the module of the application's own routes needs of the program: `ctx.use<KernelService>("kernel")`. It checks no
 * rights; its routes do.
 */
export interface KernelService {
  /** The contract's version, as clients check it. */
  readonly version: string;
  readonly lenswireVersion: string;
  readonly revision: string;
  /** Absent: nothing can be saved. */
  readonly configPath: string | undefined;
  /** The link that makes whoever opens it the owner; absent while there is no HTTP listener. */
  readonly setupLink: string | undefined;
  /** Nothing protects the program: `access.open` without users. */
  readonly isOpen: boolean;
  readonly config: {
    /** The file as it is. Rejects with `REFUSED` (`config file disabled`) or `NOT_FOUND`. */
    text(): Promise<string>;
    /**
     * Writes the whole file. Rejects with a `SyntaxError` when it is no YAML. What the principal may not decide is
     * written but not applied; the answer names these keys.
     */
    replace(text: string, principal: Principal): Promise<readonly string[]>;
    /** As `replace`, but merges YAML or JSON into the file, comments kept. */
    merge(text: string, principal: Principal): Promise<readonly string[]>;
    /** What is wrong with the config now, one line each. */
    problems(): readonly string[];
  };
  readonly log: {
    /** What is in memory, one JSON object a line; without the set-up token for one who may not have it. */
    jsonLines(principal: Principal): string;
    clear(): void;
    /** Hides secrets and URL logins. */
    mask(text: string): string;
  };
  /** The schemes of all sources (contract §3.8). */
  schemes(): string[];
  /** What recognises byte streams, in the order of registration. */
  sniffers(): readonly Sniffer[];
  /** Absent while the RTSP module is off. */
  rtsp(): RtspInfo | undefined;
  /** The names of the loaded plugins. */
  plugins(): string[];
  /** Ends the program; the answer to the request that asked for it may still go out. */
  exit(code: number): void;
  /** Stops everything and starts anew in the same process, the config read again. */
  restart(): void;
}
