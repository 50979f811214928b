import assert from "node:assert/strict";
import { StaticFolder } from "./static_folder.ts";
import { folderUrl } from "./options.ts";

async function withFolder(run: (folder: StaticFolder, path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${path}/www/sub dir`, { recursive: true });
    await Deno.writeTextFile(`${path}/secret.txt`, "secret");
    await Deno.writeTextFile(`${path}/www/index.html`, "<p>home");
    await Deno.writeTextFile(`${path}/www/.hidden`, "secret");
    await Deno.writeTextFile(`${path}/www/app.js`, "1");
    await Deno.writeTextFile(`${path}/www/sub dir/index.html`, "<p>sub");
    await run(new StaticFolder(folderUrl(`${path}/www`), { "x-page": "yes" }), path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

const none = new Headers();

Deno.test("StaticFolder serves files with their types", async () => {
  await withFolder(async (folder) => {
    const home = await folder.respond("", none);
    assert.equal(home.headers.get("content-type"), "text/html; charset=utf-8");
    assert.equal(home.headers.get("x-page"), "yes");
    assert.equal(await home.text(), "<p>home");
    const script = await folder.respond("app.js", none);
    assert.equal(script.headers.get("content-type"), "text/javascript; charset=utf-8");
    assert.equal(script.headers.get("x-page"), null);
    assert.equal(await script.text(), "1");
    assert.equal(await (await folder.respond("sub%20dir/", none)).text(), "<p>sub");
  });
});

Deno.test("StaticFolder redirects index pages and folders", async () => {
  await withFolder(async (folder) => {
    const index = await folder.respond("index.html", none);
    assert.deepEqual([index.status, index.headers.get("location")], [301, "./"]);
    const sub = await folder.respond("sub%20dir", none);
    assert.deepEqual([sub.status, sub.headers.get("location")], [301, "sub%20dir/"]);
  });
});

Deno.test("StaticFolder answers 304 to what has not changed", async () => {
  await withFolder(async (folder) => {
    const first = await folder.respond("app.js", none);
    await first.body?.cancel();
    const etag = first.headers.get("etag")!;
    const modified = first.headers.get("last-modified")!;
    const ask = async (headers: Record<string, string>) => {
      const response = await folder.respond("app.js", new Headers(headers));
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await ask({ "if-none-match": etag }), 304);
    assert.equal(await ask({ "if-none-match": `"x", W/${etag}` }), 304);
    assert.equal(await ask({ "if-none-match": '"x"', "if-modified-since": modified }), 200);
    assert.equal(await ask({ "if-modified-since": modified }), 304);
    assert.equal(await ask({ "if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT" }), 200);
    assert.equal(await ask({ "if-modified-since": "nonsense" }), 200);
  });
});

const OUTSIDE = [
  "../secret.txt",
  "..%2fsecret.txt",
  "%2e%2e/secret.txt",
  "%2e%2e%2fsecret.txt",
  "%2E%2E%5Csecret.txt",
  "..\\secret.txt",
  "sub%20dir/../../secret.txt",
  "sub%20dir/%2e%2e/%2e%2e/secret.txt",
  "./app.js",
  "%2e/app.js",
  "....//secret.txt",
  "..;/secret.txt",
  "%252e%252e%252fsecret.txt",
  "%c0%ae%c0%ae/secret.txt",
  "%uff0e%uff0e/secret.txt",
  "/secret.txt",
  "//etc/passwd",
  "%2fetc%2fpasswd",
  "/etc/passwd",
  "file:///etc/passwd",
  "C:/Windows/win.ini",
  "c%3a%5cwindows%5cwin.ini",
  "app.js%00.html",
  "app.js%0a",
  "app.js::$DATA",
  "app.js.",
  "app.js%20",
  ".hidden",
  "%2ehidden",
  ".git/config",
  "app.js/",
  "app.js/x",
  "sub%20dir//index.html",
  "%",
  "%zz",
  "missing.html",
  "a".repeat(5000),
  "~/secret.txt",
  "https://example.com/",
];

Deno.test("StaticFolder answers 404 to whatever leads elsewhere", async () => {
  await withFolder(async (folder, path) => {
    const paths = [
      ...OUTSIDE,
      `${path}/secret.txt`,
      encodeURIComponent(`${path}/secret.txt`),
      `file://${path}/secret.txt`,
    ];
    for (const one of paths) {
      const response = await folder.respond(one, none);
      const text = await response.text();
      assert.equal(response.status, 404, `"${one}" gave ${response.status}`);
      assert.equal(text, "404 page not found\n");
    }
  });
});

Deno.test("folderUrl takes odd, relative and Windows paths", () => {
  assert.equal(folderUrl("/srv/my pages#1/").href, "file:///srv/my%20pages%231/");
  assert.equal(folderUrl("C:\\pages").href, "file:///C:/pages/");
  assert.ok(folderUrl("pages").href.endsWith(`${Deno.cwd()}/pages/`));
});
