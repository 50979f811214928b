import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { makeDeb } from "../scripts/build/deb.ts";
import { root, version } from "../scripts/build/dist.ts";
import { makeRelease } from "../scripts/build/release.ts";
import { changesOf, faultsOf } from "../scripts/build/tag.ts";
import { unitForNode } from "../scripts/build/unit.ts";
import { hasProgram, run } from "./support/programs.ts";
import { startServer } from "./support/server.ts";

const isLinux = Deno.build.os === "linux";
const arch = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
const target = arch === "arm64" ? "linux-arm64" : "linux-x64";

const missing: string[] = [];
for (const [name, option] of [["dpkg-deb", "--version"], ["zip", "-v"], ["sha256sum", "--version"]] as const) {
  if (!isLinux || !await hasProgram(name, option)) missing.push(name);
}
const hasShellcheck = await hasProgram("shellcheck", "--version");
const canPack = missing.length === 0;
const canChroot = canPack && await hasOverlay();
const unless = (isThere: boolean, name: string, what: string) => isThere ? name : `${name} (skipped: no ${what})`;

// What stands for the program: compiling one takes longer than the test may.
const PROGRAM = `#!/bin/sh\necho "lenswire ${version}"\n`;

/** Whether this system can be entered as a copy that takes changes and forgets them. */
async function hasOverlay(): Promise<boolean> {
  return Deno.uid() === 0 && (await inCopy("true")).code === 0;
}

/** Runs a line of shell in a copy of this system that keeps nothing; the folder `/tmp` of the copy is the one given. */
function inCopy(line: string, folder = "/tmp") {
  const script = `set -e
    mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work /mnt/all
    mount -t overlay none -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/all
    mount -t proc none /mnt/all/proc && mount --bind /dev /mnt/all/dev && mount --bind "$1" /mnt/all/tmp
    rm -rf /mnt/all/run/systemd
    exec chroot /mnt/all sh -ec "$2"`;
  return run("unshare", ["--mount", "--propagation", "private", "sh", "-c", script, "sh", folder, line]);
}

/** A folder with a release whose programs are scripts, and one with copies of this script's tools that can be replaced. */
async function makeFakeRelease(): Promise<{ folder: string; release: string; [Symbol.asyncDispose](): Promise<void> }> {
  const folder = await Deno.makeTempDir({ prefix: "lenswire-packaging-" });
  const built = join(folder, "dist");
  await Deno.mkdir(built);
  for (const one of ["linux-x64", "linux-arm64", "macos-arm64", "windows-x64.exe"]) {
    await Deno.writeTextFile(join(built, `lenswire-${version}-${one}`), PROGRAM, { mode: 0o755 });
  }
  await Deno.writeTextFile(join(built, `lenswire-${version}.mjs`), `console.log("lenswire ${version}");\n`);
  const release = join(folder, "release");
  await makeRelease(built, release, "owner/name");
  return { folder, release, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** Puts a program in front of the others of that name. */
async function shadow(folder: string, name: string, text: string): Promise<Record<string, string>> {
  const bin = join(folder, `bin-${name}`);
  await Deno.mkdir(bin, { recursive: true });
  await Deno.writeTextFile(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return { PATH: `${bin}:${Deno.env.get("PATH")}` };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

Deno.test({
  name: "The server tells systemd when it is ready and when it stops",
  ignore: !isLinux,
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = join(folder, "notify");
    const systemd = Deno.listenDatagram({ transport: "unixpacket", path });
    const next = async () => new TextDecoder().decode((await systemd.receive())[0]);
    const ready = next();
    await using server = await startServer({ env: { NOTIFY_SOCKET: path } });
    assert.equal(await ready, "READY=1");
    const stopping = next();
    await server.stop();
    assert.equal(await stopping, "STOPPING=1");
    systemd.close();
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: unless(
    canPack,
    "A release holds an archive for each system, packages, sums and install.sh",
    missing.join(", "),
  ),
  ignore: !canPack,
  async fn() {
    await using made = await makeFakeRelease();
    const names = [...Deno.readDirSync(made.release)].map(({ name }) => name).sort();
    const own = `lenswire-${version}`;
    const archives = [`${own}-linux-arm64.tar.gz`, `${own}-linux-x64.tar.gz`, `${own}-macos-arm64.tar.gz`];
    assert.deepEqual(names, [
      "SHA256SUMS",
      "install.sh",
      ...archives,
      `${own}-node.tar.gz`,
      `${own}-windows-x64.zip`,
      `${own}.mjs`,
      `lenswire-node_${version}_all.deb`,
      `lenswire_${version}_amd64.deb`,
      `lenswire_${version}_arm64.deb`,
    ]);
    const sums = await run("sha256sum", ["--strict", "-c", "SHA256SUMS"], { cwd: made.release });
    assert.equal(sums.output.match(/: OK$/gm)?.length, names.length - 1, sums.output);
    const listed = (await run("tar", ["-tzf", join(made.release, archives[1]!)])).output.split("\n").sort();
    assert.deepEqual(
      listed.filter((name) => name !== "" && !name.endsWith("/")),
      ["LICENSE", "lenswire", "lenswire.example.yaml", "lenswire.service", "plugins/_example.ts"].map((name) =>
        `${own}-linux-x64/${name}`
      ),
    );
    assert.match(await Deno.readTextFile(join(made.release, "install.sh")), /^repository='owner\/name'$/m);
  },
});

Deno.test({
  name: unless(canPack, "install.sh installs, keeps the config through an upgrade, and removes", missing.join(", ")),
  ignore: !canPack,
  async fn() {
    await using made = await makeFakeRelease();
    const destination = join(made.folder, "system");
    const script = join(root, "packaging/install.sh");
    const call = (args: string[], env: Record<string, string> = {}) =>
      run("sh", [script, ...args], { env: { DESTDIR: destination, ...env } });
    const from = ["--from", made.release];
    const program = join(destination, "usr/local/bin/lenswire");
    const config = join(destination, "etc/lenswire/lenswire.yaml");

    const first = await call(from);
    assert.equal(first.code, 0, first.output);
    assert.equal((await run(program, ["--version"])).output, `lenswire ${version}\n`);
    const unit = await Deno.readTextFile(join(destination, "etc/systemd/system/lenswire.service"));
    assert.match(unit, /^ExecStart=\/usr\/local\/bin\/lenswire -config \/etc\/lenswire\/lenswire\.yaml$/m);
    assert.equal((await Deno.stat(config)).mode! & 0o777, 0o660);

    await Deno.writeTextFile(config, "streams: {}\n");
    assert.equal((await call(from)).code, 0);
    assert.equal(await Deno.readTextFile(config), "streams: {}\n");

    // The same over HTTP, for a machine without a build of its own.
    await using site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      const file = await Deno.open(join(made.release, new URL(request.url).pathname)).catch(() => undefined);
      return file ? new Response(file.readable) : new Response(null, { status: 404 });
    });
    const old = await shadow(made.folder, "uname", '[ "$1" = -m ] && echo mips || echo Linux');
    const node = await shadow(made.folder, "node", '[ "$1" = --version ] && echo v20.11.1 || echo lenswire from node');
    const both = { PATH: `${old["PATH"]!.split(":")[0]}:${node["PATH"]}` };
    const url = `http://127.0.0.1:${site.addr.port}`;
    const bundle = await call(["--from", url], both);
    assert.equal(bundle.code, 0, bundle.output);
    assert.match(bundle.output, /node\.tar\.gz/);
    assert.match(await Deno.readTextFile(join(destination, "etc/systemd/system/lenswire.service")), /^Type=exec$/m);
    assert.match(await Deno.readTextFile(program), /exec node /);
    assert.match((await call(["--from", `${url}/elsewhere`])).output, /"http\S+SHA256SUMS" cannot be downloaded/);

    assert.equal((await call(["--uninstall"])).code, 0);
    assert.equal(await exists(program), false);
    assert.equal(await exists(config), true);
    assert.equal((await call(["--uninstall", "--purge"])).code, 0);
    assert.equal(await exists(config), false);
  },
});

Deno.test({
  name: unless(canPack, "install.sh says in one line why it cannot, and changes nothing", missing.join(", ")),
  ignore: !canPack,
  async fn() {
    await using made = await makeFakeRelease();
    const destination = join(made.folder, "system");
    const archive = `lenswire-${version}-${target}.tar.gz`;
    const refuse = async (expected: RegExp, args: string[], env: Record<string, string> = {}) => {
      const { code, output } = await run("sh", [join(root, "packaging/install.sh"), ...args], {
        env: { DESTDIR: destination, ...env },
      });
      assert.match(output, expected);
      assert.equal(code, 1, output);
      assert.match(output.trimEnd().split("\n").at(-1)!, /^Cannot install Lenswire: .*[^.]$/);
      const left = [...Deno.readDirSync(destination), ...Deno.readDirSync(join(destination, "usr/local/lib"))];
      assert.deepEqual(left.map(({ name }) => name), ["usr"]);
    };
    await Deno.mkdir(join(destination, "usr/local/lib"), { recursive: true });
    const from = ["--from", made.release];
    const as = (machine: string) => shadow(made.folder, "uname", `[ "$1" = -m ] && echo ${machine} || echo Linux`);

    await refuse(/option "--from" needs a value/, ["--from"]);
    await refuse(/unknown option "--frm"/, ["--frm", "x"]);
    await refuse(/does not know where releases are: say --from/, []);
    await refuse(/no build for the architecture "riscv64"/, from, await as("riscv64"));
    await refuse(/Node 20 or later and has v18\.19\.0/, from, {
      PATH: `${(await as("mips"))["PATH"]!.split(":")[0]}:${
        (await shadow(made.folder, "node", "echo v18.19.0"))["PATH"]
      }`,
    });
    await refuse(
      /this system has no glibc/,
      from,
      await shadow(made.folder, "getconf", "case $1 in LONG_BIT) echo 64;; *) exit 1;; esac"),
    );
    await refuse(
      /needs glibc 2\.27 or newer, this system has 2\.24/,
      from,
      await shadow(made.folder, "getconf", "case $1 in LONG_BIT) echo 64;; *) echo glibc 2.24;; esac"),
    );
    await refuse(/needs the program "sha256sum"/, from, await withoutProgram(made.folder, "sha256sum"));
    await refuse(/there is no "SHA256SUMS" in/, ["--from", made.folder]);
    await refuse(/is "lenswire-\S+", not version 99\.0\.0/, [...from, "--version", "99.0.0"]);

    const other = await shadow(made.folder, "id", "echo 1000");
    await refuse(/it needs root: run it with sudo/, from, { ...other, DESTDIR: "" });

    const bytes = await Deno.readFile(join(made.release, archive));
    bytes[bytes.length - 1]! ^= 1;
    await Deno.writeFile(join(made.release, archive), bytes);
    await refuse(/the checksum of "lenswire-\S+" is wrong: nothing was changed/, from);
    await Deno.remove(join(made.release, archive));
    await refuse(/there is no "lenswire-\S+" in/, from);
    const sums = join(made.release, "SHA256SUMS");
    await Deno.writeTextFile(sums, (await Deno.readTextFile(sums)).replace(archive, "other"));
    await refuse(new RegExp(`has nothing for "${target}"`), from);
  },
});

/** A search path on which everything that the script needs is found but one program. */
async function withoutProgram(folder: string, name: string): Promise<Record<string, string>> {
  const bin = join(folder, "bin-without");
  await Deno.mkdir(bin);
  for (
    const one of [
      "timeout",
      "sh",
      "uname",
      "id",
      "getconf",
      "sort",
      "head",
      "sed",
      "tar",
      "gzip",
      "sha256sum",
      "mktemp",
    ]
  ) {
    const found = (await run("sh", ["-c", `command -v ${one}`])).output.trim();
    if (one !== name) await Deno.symlink(found, join(bin, one));
  }
  return { PATH: bin };
}

Deno.test({
  name: unless(
    canChroot,
    "The package installs, keeps a changed config through an upgrade, and leaves nothing",
    "root with dpkg and overlay mounts",
  ),
  ignore: !canChroot,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "lenswire-packaging-" });
    await Deno.chmod(folder, 0o777);
    const file = join(folder, "program");
    await Deno.writeTextFile(file, PROGRAM, { mode: 0o755 });
    await makeDeb({ file, arch, out: folder });
    await makeDeb({ file, arch, out: folder, version: `${version}+next` });
    const deb = (next: string) => `dpkg --force-depends -i /tmp/lenswire_${version}${next}_${arch}.deb`;
    const { code, output } = await inCopy(
      `${deb("")}
      echo "at $(stat -c '%a %U:%G' /etc/lenswire) $(stat -c '%a %U:%G' /etc/lenswire/lenswire.yaml)"
      runuser -u lenswire -- /usr/bin/lenswire --version
      ! command -v systemd-analyze >/dev/null || systemd-analyze verify lenswire.service
      test -L /etc/systemd/system/multi-user.target.wants/lenswire.service && echo "is enabled"
      mkdir -p /var/lib/lenswire && touch /var/lib/lenswire/state && echo "# mine" >>/etc/lenswire/lenswire.yaml
      ${deb("+next")}
      echo "kept $(tail -n 1 /etc/lenswire/lenswire.yaml)"
      dpkg -r lenswire && test ! -e /usr/bin/lenswire && test -e /var/lib/lenswire/state
      echo "still $(tail -n 1 /etc/lenswire/lenswire.yaml)"
      dpkg -P lenswire
      ls -d /etc/lenswire /var/lib/lenswire /usr/lib/lenswire 2>/dev/null || echo "all gone"
      getent passwd lenswire || echo "nobody"`,
      folder,
    );
    await Deno.remove(folder, { recursive: true });
    assert.equal(code, 0, output);
    const lines = output.split("\n");
    for (
      const line of [
        "at 770 root:lenswire 660 root:lenswire",
        `lenswire ${version}`,
        "is enabled",
        "kept # mine",
        "still # mine",
        "all gone",
        "nobody",
      ]
    ) assert.ok(lines.includes(line), `no line "${line}" in\n${output}`);
    assert.doesNotMatch(output, /lenswire\.service:\d+:/);
  },
});

Deno.test("faultsOf() names what does not fit the tag of a release", async () => {
  const addOn = parse(await Deno.readTextFile(join(root, "packaging/home-assistant/lenswire/config.yaml")));
  const changelog = "# Changelog\n\n## 9.8.7\n\n- New.\n\n## 9.8.6\n\n- Old.\n";
  const fitting = {
    tag: "v9.8.7",
    version: "9.8.7",
    changelog,
    addOn: { ...addOn, version: "9.8.7", image: "ghcr.io/owner/name" },
    repository: "Owner/name",
  };
  assert.deepEqual(faultsOf(fitting), []);
  assert.equal(changesOf(changelog, "9.8.7"), "- New.");
  assert.match(faultsOf({ ...fitting, tag: "v9.8.8" }).join(), /tag is "v9\.8\.8", but deno\.json says .* "9\.8\.7"/);
  assert.match(faultsOf({ ...fitting, changelog: "## 9.8.71\n\n- New.\n" }).join(), /nothing under "## 9\.8\.7"/);
  assert.match(faultsOf({ ...fitting, repository: "other/name" }).join(), /instead of "ghcr\.io\/other\/name"/);
  assert.equal(addOn.version, version, "the add-on has another version than deno.json");
});

Deno.test({
  name: unless(hasShellcheck, "The shell scripts pass shellcheck", "shellcheck"),
  ignore: !hasShellcheck,
  async fn() {
    const found = await run("sh", ["-c", "shellcheck *.sh docker/*.sh debian/p*"], { cwd: join(root, "packaging") });
    assert.equal(found.code, 0, found.output);
  },
});

Deno.test("unitForNode() waits for no message that Node cannot send", async () => {
  const unit = await Deno.readTextFile(join(root, "packaging/systemd/lenswire.service"));
  assert.match(unit, /^Type=notify$/m);
  assert.match(unitForNode(unit), /^Type=exec$/m);
  assert.doesNotMatch(unitForNode(unit), /notify|Ready/);
});
