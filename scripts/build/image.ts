/**
 * Builds the images for Docker and Home Assistant with `docker buildx`: `<version>` and `latest`, and both with
 * `-hardware` behind for the one with graphics drivers.
 *
 *     deno task image                             # for this machine, as lenswire:<version> …
 *     deno task image --push                      # for amd64 and arm64, to ghcr.io/$GITHUB_REPOSITORY
 *     deno task image --push --name registry/owner/name
 */
import { parseArgs } from "node:util";
import { BuildError, root, step, version } from "./dist.ts";

/** The arguments of `docker` that build one of the two images. */
export function buildArgs(
  of: { readonly name: string; readonly isHardware: boolean; readonly isPushed: boolean },
): string[] {
  const suffix = of.isHardware ? "-hardware" : "";
  return [
    "buildx",
    "build",
    "--file=packaging/docker/Dockerfile",
    `--target=${of.isHardware ? "hardware" : "base"}`,
    `--build-arg=VERSION=${version}`,
    `--tag=${of.name}:${version}${suffix}`,
    `--tag=${of.name}:latest${suffix}`,
    ...(of.isPushed ? ["--platform=linux/amd64,linux/arm64", "--provenance=mode=max", "--push"] : ["--load"]),
    ".",
  ];
}

if (import.meta.main) {
  await step(async () => {
    const { values } = parseArgs({
      args: Deno.args,
      options: { push: { type: "boolean", default: false }, name: { type: "string" } },
    });
    const repository = Deno.env.get("GITHUB_REPOSITORY")?.toLowerCase();
    const name = values.name ?? (repository === undefined ? undefined : `ghcr.io/${repository}`);
    if (values.push && name === undefined) throw new BuildError("Say where to: --name registry/owner/name");
    for (const isHardware of [false, true]) {
      const args = buildArgs({ name: name ?? "lenswire", isHardware, isPushed: values.push });
      const { success } = await new Deno.Command("docker", { args, cwd: root, stdin: "null" }).spawn().status;
      if (!success) throw new BuildError(`"docker ${args.join(" ")}" failed`);
    }
  });
}
