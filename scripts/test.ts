/**
 * Runs every check and every test, and ends with a line `N passed, N failed, N skipped`. Installs from Debian what the
 * tests need where it may; a test that lacks its program is skipped by name.
 *
 *     deno task test                 # everything
 *     deno task test core/media      # the tests under a folder or in a file, without the checks
 */
import { PACKAGES } from "../tests/support/programs.ts";

interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** A run that prints nothing for so long hangs. */
const SILENCE_MS = 180_000;
/** More failures than these are no accident. */
const SECOND_TRIES = 3;

const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
/** Tests that passed at the second try only. */
const unsteady: string[] = [];
/** What failed, said once more at the end: a long log is often kept from its end on only. */
const failed: string[] = [];
const wanted = Deno.args.filter((arg) => !arg.startsWith("-"));

async function run(args: string[], env: Record<string, string> = {}): Promise<{ code: number; output: string }> {
  const child = new Deno.Command(Deno.execPath(), { args, env, stdout: "piped", stderr: "piped" }).spawn();
  let output = "";
  const stop = () => {
    const long = [...output.matchAll(/^(?:.* \.\.\.)?'(.+)' has been running for over/gm)].map(([, title]) => title!);
    const hanging = new Set(long.filter((title) => !/ \.\.\. \w/.test(output.split(title).at(-1)!.split("\n")[0]!)));
    const fault = `silent for ${SILENCE_MS / 1000} s, ended; it hung in: ${
      [...hanging].join(", ") || "what is unknown"
    }`;
    console.log(fault);
    failed.push(fault);
    child.kill("SIGKILL");
  };
  let watchdog = setTimeout(stop, SILENCE_MS);
  const pass = async (from: ReadableStream<Uint8Array>, to: typeof Deno.stdout) => {
    const decoder = new TextDecoder();
    for await (const chunk of from) {
      const text = decoder.decode(chunk, { stream: true });
      output += text;
      // The runner's word that a test takes long is no sign of life.
      if (!/^'.+' has been running for over/.test(text)) {
        clearTimeout(watchdog);
        watchdog = setTimeout(stop, SILENCE_MS);
      }
      await to.write(chunk);
    }
  };
  await Promise.all([
    pass(child.stdout, Deno.stdout),
    pass(child.stderr, Deno.stderr as unknown as typeof Deno.stdout),
  ]);
  const { code } = await child.status;
  clearTimeout(watchdog);
  return { code, output };
}

/** Runs a check as one test. */
async function check(name: string, args: string[]): Promise<void> {
  console.log(`\n# ${name}`);
  const { code } = await run(args);
  if (code === 0) {
    totals.passed++;
  } else {
    totals.failed++;
    failed.push(name);
  }
}

interface Outcome extends Totals {
  readonly output: string;
}

async function runTests(paths: readonly string[], options: readonly string[]): Promise<Outcome> {
  const { code, output } = await run(["test", "-A", "--unstable-net", "--no-check", ...options, ...paths], {
    NO_COLOR: "1",
    DENO_JOBS: "2",
  });
  const found =
    /^(?:ok|FAILED) \| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored)?/m
      .exec(output);
  const failures = Number(found?.[2] ?? 0);
  return {
    passed: Number(found?.[1] ?? 0),
    failed: code !== 0 && failures === 0 ? 1 : failures,
    skipped: Number(found?.[3] ?? 0),
    output,
  };
}

/**
 * Runs test files and adds up what the runner counted. Where two cores are shared with others, a browser may come too
 * late for its test: a few that failed have a second try by themselves, and are named.
 */
async function tests(name: string, paths: string[], options: string[]): Promise<void> {
  console.log(`\n# ${name}`);
  const started = performance.now();
  const first = await runTests(paths, options);
  totals.passed += first.passed;
  totals.skipped += first.skipped;
  const names = failuresOf(first.output);
  const files = [...new Set(names.map(({ file }) => file))];
  let left = first;
  if (names.length === first.failed && first.failed > 0 && first.failed <= SECOND_TRIES) {
    console.log(`\n# ${name}: ${files.join(", ")} once more, alone`);
    left = await runTests(files, []);
    const stillFailed = Math.min(left.failed, first.failed);
    totals.failed += stillFailed;
    totals.passed += first.failed - stillFailed;
    for (const { title } of stillFailed === 0 ? names : []) unsteady.push(title);
  } else {
    totals.failed += first.failed;
  }
  for (const { title, file } of failuresOf(left.output)) failed.push(`${title} (${file})`);
  console.log(`${name}: ${Math.round((performance.now() - started) / 1000)} s`);
}

function failuresOf(output: string): { readonly title: string; readonly file: string }[] {
  const list = /^ FAILURES $([^]*)^FAILED \|/m.exec(output)?.[1] ?? "";
  return [...list.matchAll(/^(.+) => (\S+_test\.ts):\d+:\d+$/gm)].map(([, title, file]) => ({
    title: title!,
    file: file!,
  }));
}

async function testFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) files.push(...await testFiles(path));
    else if (entry.name.endsWith("_test.ts")) files.push(path);
  }
  return files.sort();
}

/** Installs from Debian what is missing; says what could not be had. */
async function installPrograms(): Promise<void> {
  const missing = new Set<string>();
  for (const { isThere, packages } of PACKAGES) if (!await isThere()) packages.forEach((name) => missing.add(name));
  if (missing.size === 0) return;
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) {
    console.log(`Not installed (needs root on Debian), tests that use them are skipped: ${[...missing].join(" ")}`);
    return;
  }
  console.log(`Installing ${[...missing].join(" ")}`);
  const apt = async (...args: string[]) => {
    const command = new Deno.Command("apt-get", {
      args,
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdout: "null",
      stderr: "inherit",
    });
    return (await command.output()).success;
  };
  try {
    await apt("update");
    if (await apt("install", "-y", "--no-install-recommends", ...missing)) return;
    for (const name of missing) await apt("install", "-y", "--no-install-recommends", name);
  } catch (error) {
    console.log(`Cannot install: ${error instanceof Error ? error.message : error}; their tests are skipped`);
  }
}

// Meanwhile the checks, which need none of them.
const installed = installPrograms();
if (wanted.length > 0) {
  await installed;
  await tests("tests", wanted, []);
} else {
  await check("format", ["fmt", "--check", "--quiet"]);
  await check("lint", ["lint", "--quiet"]);
  await check("types", ["check", "--quiet", "main.ts", "core", "modules", "plugins", "scripts", "tests"]);
  await check("import directions", ["run", "-A", "scripts/check_imports.ts"]);
  await check("config reference is up to date", ["run", "-A", "--unstable-net", "scripts/schema.ts", "--check"]);
  await installed;
  const all = [
    ...await testFiles("core"),
    ...await testFiles("modules"),
    ...await testFiles("plugins"),
    ...await testFiles("tests"),
  ];
  // What is timed in these shall not share its cores with anything.
  const isTimed = (file: string) =>
    /\/(?:compiled|instant_start|recorders|slow_viewers|two_way_audio)_test\.ts$/.test(file);
  const isSlow = (file: string) => file.startsWith("tests/e2e/") || file.endsWith("peers_test.ts") || isTimed(file);
  await tests("unit tests", all.filter((file) => !isSlow(file)), ["--parallel"]);
  // Peers wait for clocks more than they compute.
  await tests("tests with real peers", all.filter((file) => isSlow(file) && !isTimed(file)), ["--parallel"]);
  await tests("timed tests", all.filter(isTimed), []);
}
for (const what of failed) console.log(`Failed: ${what}`);
for (const title of unsteady) console.log(`Passed at the second try: ${title}`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
Deno.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1);
