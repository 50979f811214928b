import assert from "node:assert/strict";
import { importWithoutTypes } from "./plugin_types.ts";

Deno.test("importWithoutTypes() imports a plugin in TypeScript that imports types", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/a b.ts`;
  await Deno.writeTextFile(
    path,
    `import type { PluginDefinition } from "../core/mod.ts";
const plugin: PluginDefinition<{ readonly rate: number }> = { name: "größe", api: 1, setup(ctx: never): void {} };
export default plugin satisfies object;
`,
  );
  const { default: plugin } = await importWithoutTypes(path) as { readonly default: { readonly name: string } };
  assert.equal(plugin.name, "größe");
  await Deno.remove(folder, { recursive: true });
});
