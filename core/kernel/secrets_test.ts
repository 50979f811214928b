import assert from "node:assert/strict";
import fc from "fast-check";
import { Secrets } from "./secrets.ts";

function mask(secrets: readonly string[], text: string): string {
  const all = new Secrets();
  secrets.forEach((secret) => all.add(secret));
  return all.mask(text);
}

const cases: readonly (readonly [string, readonly string[], string, string])[] = [
  ["nothing", [], "plain text", "plain text"],
  ["URL logins", [], "at rtsp://user:pass@host/a and http://u@h", "at rtsp://***@host/a and http://***@h"],
  ["an address without a login", [], "rtsp://host/a@b", "rtsp://host/a@b"],
  ["a secret", ["hunter2"], "is hunter2, hunter2!", "is ***, ***!"],
  ["an empty secret", [""], "text", "text"],
  ["the longest of several", ["pass", "password"], "password pass", "*** ***"],
  ["characters of patterns", ["a.b*[c]"], "a.b*[c] axbxc", "*** axbxc"],
  ["a secret inside JSON", ['a"b\\c'], JSON.stringify({ x: 'a"b\\c' }), '{"x":"***"}'],
  ["a secret inside JSON that is escaped for HTML", ["a&b<c"], '{"x":"a\\u0026b\\u003cc"}', '{"x":"***"}'],
  ["a secret inside a URL", ["p@ss word"], "?key=p%40ss%20word", "?key=***"],
  ["a secret that the mask itself contains", ["*"], "a*b", "a***b"],
];

for (const [name, secrets, text, wanted] of cases) {
  Deno.test(`Secrets.mask() hides ${name}`, () => assert.equal(mask(secrets, text), wanted));
}

Deno.test("Secrets.mask() leaves no secret, whatever it looks like", () => {
  const secret = fc.string({ unit: "binary", minLength: 1 }).filter((text) => !"***".includes(text));
  fc.assert(fc.property(secret, fc.string(), (text, around) => {
    assert.ok(!mask([text], `${around} ${text}`).endsWith(` ${text}`));
  }));
});

Deno.test("Secrets.add() keeps a limited count", () => {
  const secrets = new Secrets();
  for (let i = 0; i < 10_001; i++) secrets.add(`secret-${i};`);
  assert.equal(secrets.mask("secret-0; secret-10000;"), "secret-0; ***");
});
