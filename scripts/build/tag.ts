/**
 * Checks that everything that names a version or the repository fits the tag of a release, and prints what is new.
 *
 *     deno task tag v0.1.0                            # before the tag is pushed
 *     deno task tag v0.1.0 --repository owner/name    # $GITHUB_REPOSITORY is the default
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { BuildError, root, step, version } from "./dist.ts";

const ADD_ON = "packaging/home-assistant/lenswire/config.yaml";

/** The part of the changelog about a version, without its heading; `undefined` when there is none. */
export function changesOf(changelog: string, of: string): string | undefined {
  const parts = changelog.split(/^## /m);
  const part = parts.find((one) => one.startsWith(`${of}\n`) || one.startsWith(`${of} `));
  return part?.slice(part.indexOf("\n")).trim();
}

/** What does not fit the tag; `repository` is `owner/name`. */
export function faultsOf(
  facts: {
    readonly tag: string;
    readonly version: string;
    readonly changelog: string;
    readonly addOn: { readonly version?: unknown; readonly image?: unknown };
    readonly repository: string | undefined;
  },
): string[] {
  const { tag, addOn, repository } = facts;
  const faults: string[] = [];
  if (tag !== `v${facts.version}`) faults.push(`The tag is "${tag}", but deno.json says version "${facts.version}"`);
  if (!changesOf(facts.changelog, facts.version)) faults.push(`CHANGELOG.md has nothing under "## ${facts.version}"`);
  if (addOn.version !== facts.version) {
    faults.push(`${ADD_ON} says version "${addOn.version}" instead of "${facts.version}"`);
  }
  const image = repository && `ghcr.io/${repository.toLowerCase()}`;
  if (image && addOn.image !== image) faults.push(`${ADD_ON} says image "${addOn.image}" instead of "${image}"`);
  return faults;
}

if (import.meta.main) {
  await step(async () => {
    const { values, positionals } = parseArgs({
      args: Deno.args,
      allowPositionals: true,
      options: { repository: { type: "string" } },
    });
    const [tag] = positionals;
    if (tag === undefined) throw new BuildError('Say which tag: "deno task tag v0.1.0"');
    const read = (path: string) => Deno.readTextFile(join(root, path));
    const changelog = await read("CHANGELOG.md");
    const addOn = parse(await read(ADD_ON));
    const repository = values.repository ?? Deno.env.get("GITHUB_REPOSITORY");
    const faults = faultsOf({ tag, version, changelog, addOn, repository });
    if (faults.length > 0) throw new BuildError(faults.join("\n"));
    console.log(changesOf(changelog, version));
  });
}
