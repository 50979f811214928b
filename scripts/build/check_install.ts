/**
 * Installs the Debian package, and then the archive by `install.sh`, into a small Debian that is started with systemd in a
 * container, and looks whether the service does what it should: start, web editor, crash, upgrade, removal, purge. Needs
 * root on Linux and the packages mmdebstrap and systemd-container; the container has no network but its own loopback.
 *
 *     deno task check:install                             # the program file in dist for this machine
 *     deno task check:install --file FILE --suite trixie
 *     deno task check:install --file FILE.mjs --suite trixie    # the bundle for Node
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeArchive } from "./archives.ts";
import { writeChecksums } from "./checksums.ts";
import { Container, soon } from "./container.ts";
import { type DebArch, makeDeb } from "./deb.ts";
import { BuildError, builtFiles, dist, place, root, run, step, version } from "./dist.ts";
import { ownTarget } from "./targets.ts";

const CONFIG = "/etc/lenswire/lenswire.yaml";

function said(text: string): void {
  console.log(`ok    ${text}`);
}

interface Packages {
  readonly name: string;
  readonly first: string;
  readonly second: string;
}

type Ask = (path?: string, body?: string) => Promise<string>;

async function checkPackage(box: Container, api: Ask, packages: Packages): Promise<void> {
  const started = performance.now();
  await box.sh(`dpkg -i ${packages.first}`);
  assert.equal((await box.sh("systemctl is-active lenswire")).trim(), "active");
  assert.equal((await box.sh("systemctl is-enabled lenswire")).trim(), "enabled");
  assert.match(await api(), new RegExp(`^200 .*"lenswire":"${version}"`));
  said(`installed, started and answering ${Math.round(performance.now() - started)} ms after "dpkg -i" began`);

  const status = await box.sh(`cat /proc/${await box.pid()}/status`);
  assert.match(status, /^NoNewPrivs:\s*1$/m);
  assert.match(status, /^CapBnd:\s*0*400$/m);
  assert.match(status, /^Seccomp:\s*2$/m);
  assert.equal((await box.sh(`stat -c %U /proc/${await box.pid()}`)).trim(), "lenswire");
  said("it runs as the user lenswire, with the one capability for low ports and a filter of system calls");

  await api("/config", 'streams:\n  kept: "demo:"\n');
  assert.match(await box.sh(`cat ${CONFIG}`), /kept: "demo:"/);
  assert.equal((await box.sh(`stat -c %a ${CONFIG}`)).trim(), "660");
  await soon(async () => (await api("/streams")).includes('"kept"') || undefined, "the new config");
  said("the web editor saves the config");

  await box.sh(`echo 'export default 1;' >/etc/lenswire/plugins/probe.js; systemctl restart lenswire`);
  await box.logged(/plugins\/probe\.js/);
  await box.sh("rm /etc/lenswire/plugins/probe.js");
  said("plugins are looked for in /etc/lenswire/plugins");

  await box.sh(`sed -i '1i api: { listen: ":80" }' ${CONFIG}; systemctl restart lenswire`);
  await box.logged(/\[api\] listen addr=:80\b/);
  await box.sh(`sed -i 1d ${CONFIG}; systemctl restart lenswire`);
  said("a port below 1024 may be used");

  const before = await box.pid();
  await box.sh(`kill -KILL ${before}`);
  await soon(async () => {
    const pid = await box.pid();
    return pid !== before && pid !== 0 && (await api()).startsWith("200") || undefined;
  }, "the start after a crash");
  said("it is started again after a crash");

  const old = await box.pid();
  await box.sh(`dpkg -i ${packages.second}`);
  assert.notEqual(await box.pid(), old);
  assert.match(await box.sh(`cat ${CONFIG}`), /kept: "demo:"/);
  assert.equal((await box.sh(`stat -c %a ${CONFIG}`)).trim(), "660");
  assert.match(await api("/streams"), /"kept"/);
  said("an upgrade restarts it and keeps the changed config");

  await box.sh(`systemctl disable --now lenswire; dpkg -i ${packages.first}`);
  assert.equal((await box.sh("systemctl is-enabled lenswire || true")).trim(), "disabled");
  await box.sh("systemctl enable --now lenswire");
  said("what the administrator disabled stays disabled through an upgrade");

  await box.sh(`dpkg -r ${packages.name}`);
  assert.equal((await box.sh("systemctl is-active lenswire || true")).trim(), "inactive");
  assert.match(await box.sh(`cat ${CONFIG}`), /kept: "demo:"/);
  said("a removal stops it and keeps the config");

  await box.sh(`dpkg -i ${packages.second}`);
  assert.match(await api("/streams"), /"kept"/);
  said("installed again, it goes on with that config");

  await box.sh(`dpkg -P ${packages.name}`);
  await leavesNothing(box);
  said("a purge leaves nothing");
}

async function checkScript(box: Container, api: Ask, machine: string): Promise<void> {
  // It is told another machine, for which there is nothing but the bundle for Node.
  await box.sh(
    `mkdir /root/bin; echo 'test "$1" = -s && echo Linux || echo ${machine}' >/root/bin/uname; chmod +x /root/bin/uname`,
  );
  const install = "PATH=/root/bin:$PATH sh /root/install.sh --from /root";
  assert.match(await box.sh(install), new RegExp(`lenswire ${version} runs`));
  assert.match(await api(), new RegExp(`^200 .*"lenswire":"${version}"`));
  assert.equal((await box.sh("systemctl is-enabled lenswire")).trim(), "enabled");
  await api("/config", 'streams:\n  kept: "demo:"\n');
  said("install.sh installs, starts and enables it");

  const old = await box.pid();
  await box.sh(install);
  assert.notEqual(await box.pid(), old);
  assert.match(await api("/streams"), /"kept"/);
  said("run again, it upgrades and keeps the config");

  await box.sh("sh /root/install.sh --uninstall");
  assert.equal((await box.sh("systemctl is-active lenswire || true")).trim(), "inactive");
  assert.match(await box.sh(`cat ${CONFIG}`), /kept: "demo:"/);
  await box.sh("sh /root/install.sh --uninstall --purge");
  await leavesNothing(box);
  said("--uninstall keeps the config, and --purge leaves nothing");
}

async function leavesNothing(box: Container): Promise<void> {
  const own = "find / -xdev -name '*lenswire*' -not -path '/root/*' -not -path '/run/*'";
  assert.equal((await box.sh(`${own}; grep lenswire /etc/passwd /etc/group || true`)).trim(), "");
}

if (import.meta.main) {
  await step(async () => {
    const { values } = parseArgs({
      args: Deno.args,
      options: { file: { type: "string" }, suite: { type: "string", default: "bookworm" } },
    });
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) throw new BuildError("This check needs root on Linux");
    const file = values.file ?? (await builtFiles(dist)).find(({ target }) => target === ownTarget?.name)?.path;
    if (file === undefined) throw new BuildError(`No program file for this machine in dist: run "deno task compile"`);
    const isNode = file.endsWith(".mjs");
    const target = isNode ? "node" : ownTarget?.name ?? "";
    const arch: DebArch = isNode ? "all" : target === "linux-arm64" ? "arm64" : "amd64";
    const folder = await Deno.makeTempDir({ prefix: "lenswire-check-" });
    try {
      const debian = join(folder, "debian");
      const inside = join(debian, "root");
      console.log(`Making a Debian ${values.suite} and what is installed in it`);
      const include = `--include=systemd,systemd-sysv,dbus,libgcc-s1,passwd${isNode ? ",nodejs" : ""}`;
      await run("mmdebstrap", ["--variant=minbase", include, values.suite, debian]);
      const deb = { file, arch, out: inside, isUncompressed: true };
      const packages = [await makeDeb(deb), await makeDeb({ ...deb, version: `${version}+next` })];
      await makeArchive({ target, path: file }, inside);
      await place(join(root, "packaging/install.sh"), join(inside, "install.sh"), 0o755);
      await writeChecksums(inside);
      await using box = await Container.boot(debian);
      try {
        const [first, second] = packages.map((path) => path.slice(debian.length));
        // Without Node it is started when it answers, and not before: there is nothing to wait for.
        const api: Ask = (path, body) => isNode ? box.slowApi(path, body) : box.api(path, body);
        await checkPackage(box, api, { name: isNode ? "lenswire-node" : "lenswire", first: first!, second: second! });
        await checkScript(box, api, isNode ? "mips" : Deno.build.arch);
      } catch (error) {
        console.error(
          await box.sh("systemctl status --no-pager lenswire || true; journalctl -u lenswire -n 30 --no-pager"),
        );
        throw error;
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
