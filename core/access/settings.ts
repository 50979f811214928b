import type { CameraRight } from "./types.ts";

/** What a user may do: everything; use cameras and change streams; use cameras. */
export type Role = "admin" | "operator" | "viewer";

/** A user of the config. */
export interface UserSettings {
  readonly name: string;
  readonly password: string;
  /** Default: viewer. */
  readonly role?: Role;
  /** Camera rights instead of the role's own. */
  readonly rights?: readonly CameraRight[] | undefined;
  /** Names and patterns of the cameras that the rights hold for; default: all. */
  readonly cameras?: readonly string[];
}

/** A login of one protocol, as go2rtc has it; off while `username` is empty. */
export interface ServiceLogin {
  readonly username: string;
  readonly password: string;
}

/** What access goes by; made of the config sections `access`, `api` and `rtsp`. */
export interface AccessSettings {
  /** Everybody is admin, as go2rtc has it. */
  readonly open: boolean;
  /** Names this server is reached by, besides the local ones. */
  readonly hosts: readonly string[];
  /** Addresses and blocks of reverse proxies whose word on the client's address is taken. */
  readonly trustedProxies: readonly string[];
  /** Proxies that let through only who has logged in there, by address or block, and what those may. */
  readonly loginProxies: Readonly<Record<string, Role>>;
  /** Blocks that count as local, besides the private ones. */
  readonly localNetworks: readonly string[];
  readonly users: readonly UserSettings[];
  /** Admins and operators may set what runs commands, however they came in. */
  readonly trustApi: boolean;
  readonly api: ServiceLogin & {
    /** Logins are asked of this machine too. */
    readonly localAuth: boolean;
    /** `"*"`: pages of any site may ask. */
    readonly origin: string;
  };
  /** Logins of other protocols, by module name. */
  readonly services: Readonly<Record<string, ServiceLogin>>;
}

/** The settings of an empty config. */
export const defaultAccessSettings: AccessSettings = {
  open: false,
  hosts: [],
  trustedProxies: [],
  loginProxies: {},
  localNetworks: [],
  users: [],
  trustApi: false,
  api: { username: "", password: "", localAuth: false, origin: "" },
  services: {},
};
