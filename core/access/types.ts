/** What may be done with a camera. */
export type CameraRight = "watch" | "listen" | "talk" | "snapshot" | "playback" | "publish";

/** What a route or message demands: a right on a camera, `operate` (streams, preload), `admin`, or nothing. */
export type Need = CameraRight | "operate" | "admin" | "public";

/** Who asks. Made by `access` for each request, session and offer; never by a module. */
export interface Principal {
  /** For the log: `admin`, `local 192.168.1.5`, `user anna`. */
  readonly name: string;
  readonly isAdmin: boolean;
  readonly mayOperate: boolean;
  /** May set what runs commands: the config file itself, a holder of the set-up token, an admin with a password. */
  readonly isTrusted: boolean;
  can(right: CameraRight, stream: string): boolean;
}

/** What is known of a peer before its rights are. */
export interface Peer {
  /** IP literal; `""` for a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly transport: "tcp" | "tls" | "unix";
  /** Lower-case names; absent for protocols without headers. */
  readonly headers?: { get(name: string): string | null };
  /** A tunnel brought it: wherever it seems to come from, it is not of the local network. */
  readonly isRemote?: boolean;
}

/** The config's own hand: may do anything. */
export const systemPrincipal: Principal = {
  name: "system",
  isAdmin: true,
  mayOperate: true,
  isTrusted: true,
  can: () => true,
};
