import { CameraGlobs } from "./glob.ts";
import type { Role, UserSettings } from "./settings.ts";
import type { CameraRight, Principal } from "./types.ts";

/** Every right on a camera. */
export const CAMERA_RIGHTS: readonly CameraRight[] = ["watch", "listen", "talk", "snapshot", "playback", "publish"];

const LOCAL_RIGHTS: readonly CameraRight[] = ["watch", "listen", "talk", "snapshot", "publish"];

const ROLE_RIGHTS: Readonly<Record<Role, readonly CameraRight[]>> = {
  admin: CAMERA_RIGHTS,
  operator: CAMERA_RIGHTS,
  viewer: ["watch", "listen", "talk", "snapshot", "playback"],
};

function principal(
  name: string,
  rights: readonly CameraRight[],
  more: { isAdmin?: boolean; mayOperate?: boolean; isTrusted?: boolean; cameras?: CameraGlobs } = {},
): Principal {
  const held = new Set(rights);
  return {
    name,
    isAdmin: more.isAdmin ?? false,
    mayOperate: more.mayOperate ?? false,
    isTrusted: more.isTrusted ?? false,
    can: (right, stream) => held.has(right) && (more.cameras?.matches(stream) ?? true),
  };
}

/** Who owns the machine or showed an admin's login; only the latter may set what runs commands. */
export function adminPrincipal(name: string, isTrusted: boolean): Principal {
  return principal(name, CAMERA_RIGHTS, { isAdmin: true, mayOperate: true, isTrusted });
}

/** A peer of the local network. */
export function localPrincipal(address: string, mayOperate: boolean): Principal {
  return principal(`local ${address}`, LOCAL_RIGHTS, { mayOperate });
}

/** A user of the config who showed the password; an operator is trusted where the config trusts the API. */
export function userPrincipal(user: UserSettings, trustApi: boolean): Principal {
  const role = user.role ?? "viewer";
  if (role === "admin") return adminPrincipal(`user ${user.name}`, true);
  return principal(`user ${user.name}`, user.rights ?? ROLE_RIGHTS[role], {
    mayOperate: role === "operator",
    isTrusted: role === "operator" && trustApi,
    ...(user.cameras ? { cameras: new CameraGlobs(user.cameras) } : {}),
  });
}

/** Who logged in at a proxy that says so for him. */
export function proxiedPrincipal(address: string, role: Role, trustApi: boolean): Principal {
  return { ...userPrincipal({ name: "", password: "", role }, trustApi), name: `${role} ${address}` };
}

/** Who showed the login of one protocol: sees, hears and pushes. */
export function servicePrincipal(service: string, username: string): Principal {
  return principal(`${service} ${username}`, ["watch", "listen", "publish"]);
}

/** Someone who may nothing. */
export function nobody(address: string): Principal {
  return principal(`remote ${address}`, []);
}

/** The same person where it may be a page of another site that asks: all may be seen, nothing changed. */
export function withoutChanges(of: Principal): Principal {
  return { ...withoutControl(of), isAdmin: of.isAdmin };
}

/** The same person acting through the page of another site: the cameras, nothing more. */
export function withoutControl(of: Principal): Principal {
  return {
    name: of.name,
    isAdmin: false,
    mayOperate: false,
    isTrusted: false,
    can: (right, stream) => of.can(right, stream),
  };
}
