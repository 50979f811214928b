import type { ServiceState } from "../sd_notify.ts";

/** Does nothing: Node has no unix datagram sockets, so its service says `Type=exec`. */
export function notifySystemd(_state: ServiceState): Promise<void> {
  return Promise.resolve();
}
