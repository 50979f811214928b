/** The systems that a program file is made for: those that the Deno in use knows. */

/** One of them. */
export interface Target {
  /** What Deno calls it. */
  readonly triple: string;
  /** What our files call it. */
  readonly name: string;
}

/** All, as release files are named. */
export const targets: readonly Target[] = [
  { name: "linux-x64", triple: "x86_64-unknown-linux-gnu" },
  { name: "linux-arm64", triple: "aarch64-unknown-linux-gnu" },
  { name: "windows-x64", triple: "x86_64-pc-windows-msvc" },
  { name: "windows-arm64", triple: "aarch64-pc-windows-msvc" },
  { name: "macos-x64", triple: "x86_64-apple-darwin" },
  { name: "macos-arm64", triple: "aarch64-apple-darwin" },
];

/** The system that this runs on; `undefined` where Deno has no runtime to compile with. */
export const ownTarget: Target | undefined = targets.find(({ triple }) => triple === Deno.build.target);

/** The name of a program file, for example `lenswire-1.2.3-windows-x64.exe`. */
export function fileName(version: string, { name }: Target): string {
  return `lenswire-${version}-${name}${name.startsWith("windows") ? ".exe" : ""}`;
}
