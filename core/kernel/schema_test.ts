import assert from "node:assert/strict";
import { z } from "zod";
import { accessSchema, apiSchema, kernelSchemas, logSchema } from "./schema.ts";

Deno.test("kernelSchemas accept an empty section", () => {
  for (const [name, schema] of Object.entries(kernelSchemas)) assert.ok(schema.safeParse({}).success, name);
});

Deno.test("kernelSchemas describe every key", () => {
  const undescribed: string[] = [];
  const walk = (path: string, shape: z.core.JSONSchema.JSONSchema) => {
    for (const [key, value] of Object.entries(shape.properties ?? {})) {
      const inner = value as z.core.JSONSchema.JSONSchema;
      if (!inner.description) undescribed.push(`${path}.${key}`);
      walk(`${path}.${key}`, inner);
      if (inner.items && !Array.isArray(inner.items)) walk(`${path}.${key}`, inner.items as typeof inner);
    }
  };
  for (const [name, schema] of Object.entries(kernelSchemas)) {
    const shape = z.toJSONSchema(schema, { io: "input" });
    if (!shape.description) undescribed.push(name);
    walk(name, shape);
  }
  assert.deepEqual(undescribed, []);
});

Deno.test("apiSchema has the defaults of the contract", () => {
  const { listen, username, local_auth, base_path, origin, allow_paths } = apiSchema.parse({});
  assert.deepEqual([listen, username, local_auth, base_path, origin, allow_paths], [
    ":1984",
    "",
    false,
    "",
    "",
    undefined,
  ]);
});

Deno.test("logSchema takes levels of modules and nothing else under other names", () => {
  assert.ok(logSchema.safeParse({ level: "debug", rtsp: "trace", ffmpeg: "error" }).success);
  assert.ok(!logSchema.safeParse({ rtsp: "loud" }).success);
});

Deno.test("accessSchema refuses proxies and networks that are no addresses", () => {
  const sound = {
    trusted_proxies: ["::1", "unix"],
    login_proxies: { "10.0.0.0/8": "viewer" },
    local: ["100.64.0.0/10"],
  };
  assert.ok(accessSchema.safeParse(sound).success);
  for (
    const wrong of [{ trusted_proxies: ["nginx"] }, { login_proxies: { "10.0.0.0/33": "admin" } }, { local: ["unix"] }]
  ) {
    const { error } = accessSchema.safeParse(wrong);
    assert.match(JSON.stringify(error), /expected an address or a prefix/i);
  }
});

Deno.test("accessSchema refuses a user without a password", () => {
  assert.ok(!accessSchema.safeParse({ users: [{ name: "anna" }] }).success);
  assert.ok(!accessSchema.safeParse({ users: [{ name: "anna", password: "" }] }).success);
  const parsed = accessSchema.parse({ users: [{ name: "anna", password: "x" }] });
  assert.deepEqual(parsed.users, [{ name: "anna", password: "x", role: "viewer", cameras: ["*"] }]);
});
