import assert from "node:assert/strict";
import { CameraGlobs } from "./glob.ts";
import { equalSecrets, LoginLimiter, parseBasic, parseBearer } from "./login.ts";

Deno.test("parseBasic() reads names and passwords in UTF-8, colons included", () => {
  const encode = (text: string) => `Basic ${new TextEncoder().encode(text).toBase64()}`;
  assert.deepEqual(parseBasic(encode("anna:pä:ss")), { username: "anna", password: "pä:ss" });
  assert.deepEqual(parseBasic(encode(":")), { username: "", password: "" });
  for (const header of [null, "", "Basic", "Basic ???", encode("nocolon"), "Bearer abc"]) {
    assert.equal(parseBasic(header), undefined);
  }
  assert.equal(parseBearer("bearer abc"), "abc");
  assert.equal(parseBearer("Basic abc"), undefined);
});

Deno.test("equalSecrets() compares whole texts", () => {
  assert.ok(equalSecrets("secret", "secret"));
  for (const given of ["", "secre", "secrets", "Secret", "secretsecret"]) {
    assert.ok(!equalSecrets(given, "secret"), given);
  }
  assert.ok(!equalSecrets("a", ""));
});

Deno.test("LoginLimiter makes those who guess wait and forgets the oldest", () => {
  let now = 0;
  const limiter = new LoginLimiter(() => now, 3);
  for (let i = 0; i < 10; i++) limiter.fail("8.8.8.8");
  assert.equal(limiter.waitMs("8.8.8.8"), 0);
  limiter.fail("8.8.8.8");
  assert.equal(limiter.waitMs("8.8.8.8"), 2000);
  limiter.fail("8.8.8.8");
  assert.equal(limiter.waitMs("8.8.8.8"), 4000);
  now = 4000;
  assert.equal(limiter.waitMs("8.8.8.8"), 0);
  limiter.succeed("8.8.8.8");
  assert.equal(limiter.size, 0);
  for (let i = 0; i < 50; i++) limiter.fail(`10.0.0.${i}`);
  assert.equal(limiter.size, 3);
  for (let i = 0; i < 50; i++) limiter.fail("10.0.0.1");
  assert.equal(limiter.waitMs("10.0.0.1"), 60_000);
});

Deno.test("LoginLimiter counts the same wrong password once, however often it comes", () => {
  const limiter = new LoginLimiter(() => 0);
  for (let i = 0; i < 100; i++) limiter.fail("8.8.8.8", "anna", "old");
  assert.equal(limiter.waitMs("8.8.8.8", "anna"), 0);
  for (let i = 0; i < 10; i++) limiter.fail("8.8.8.8", "anna", i % 2 ? "old" : "older");
  assert.equal(limiter.waitMs("8.8.8.8", "anna"), 2000);
});

Deno.test("LoginLimiter keeps what was guessed of one name when another logs in", () => {
  const limiter = new LoginLimiter(() => 0);
  const others = Array.from({ length: 50 }, (_, i) => `user${i}`);
  for (let i = 0; i < 20; i++) limiter.fail("8.8.8.8", "root");
  const free = others.filter((name) => limiter.waitMs("8.8.8.8", name) === 0);
  assert.ok(free.length > 25, "most names are not held up by what was guessed of one");
  for (const name of free) limiter.succeed("8.8.8.8", name);
  assert.ok(limiter.waitMs("8.8.8.8", "root") > 0);
  for (let i = 0; i < 1000; i++) limiter.fail("8.8.8.8", `nobody${i}`);
  assert.ok(limiter.size <= 16, "made-up names take no room");
});

Deno.test("LoginLimiter counts the addresses of one IPv6 network as one", () => {
  const limiter = new LoginLimiter(() => 0);
  for (let i = 0; i < 20; i++) limiter.fail(`2001:db8:1:2::${i}`);
  assert.ok(limiter.waitMs("2001:db8:1:2:ffff::9") > 0);
  assert.equal(limiter.waitMs("2001:db8:1:3::9"), 0);
});

Deno.test("CameraGlobs matches whole names and takes exclusions out", () => {
  const table: readonly [readonly string[], string, boolean][] = [
    [["*"], "anything/at.all", true],
    [["yard*"], "yard_2", true],
    [["yard*"], "backyard", false],
    [["cam?"], "cam1", true],
    [["cam?"], "cam", false],
    [["a.b"], "axb", false],
    [["*", "!bed*"], "bedroom", false],
    [["!bed*"], "yard", true],
    [[], "yard", false],
    [["(x)+[y]"], "(x)+[y]", true],
  ];
  for (const [patterns, name, expected] of table) {
    assert.equal(new CameraGlobs(patterns).matches(name), expected, `${patterns} ${name}`);
  }
  const startMs = performance.now();
  new CameraGlobs(["*a*a*a*a*b"]).matches("a".repeat(300));
  assert.ok(performance.now() - startMs < 1000);
});
