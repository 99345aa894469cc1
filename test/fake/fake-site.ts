import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { parse, stringify } from 'yaml';

/** The first eight digits of a SHA-256, as the journal tells contents. */
export function sha8(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 8);
}

const repository = join(import.meta.dirname, '../..');

/**
 * A place to build in with the fake QEMU: a distro whose installer is a few bytes, its mirror on 127.0.0.1, a cache and
 * an output folder, all gone with `close`.
 */
export interface FakeSite {
  readonly root: string;
  readonly cacheDir: string;
  readonly outDir: string;
  readonly mirrorUrl: string;
  /** What lets a command of kvmimg find mirror and media here. */
  readonly flags: readonly string[];
  readonly build: (options: BuildOptions) => RunningBuild;
  /** Any other command of kvmimg, at this site. */
  readonly run: (words: readonly string[], options?: RunOptions) => RunningBuild;
  /** Writes `<name>.yaml` for the fake distro and gives its path. */
  readonly writeRecipe: (name: string, settings: object) => Promise<string>;
  /** What was done to a disk, by the raw image of it: see fixtures/fake-qemu/README.md. Fails on a damaged entry. */
  readonly journalOf: (rawPath: string) => Promise<string[]>;
  /** The machines that were started at this site, oldest first; the accelerator probe is none. */
  readonly machineStarts: () => Promise<MachineStart[]>;
  /** Command lines of QEMU and of what ran by SSH, which anybody on the host could have read. */
  readonly commandLines: () => Promise<string[]>;
  /** Waits until the fake QEMU has logged this, such as an entry of the journal: `unfinished script 01234567`. */
  readonly untilLogged: (text: string) => Promise<void>;
  /** What a build has left behind: work folders, locks, files in the output folder but these, processes. */
  readonly leftovers: (outputs?: readonly string[]) => Promise<string[]>;
  /** Ends what is still running, too. */
  readonly close: () => Promise<void>;
}

export interface RunOptions {
  /** Of the fake QEMU: see its README. Default: `builds`. */
  readonly scenario?: string | object;
  readonly env?: Readonly<Record<string, string>>;
}

export interface BuildOptions extends RunOptions {
  /** What to build; default: the fake distro. */
  readonly subject?: string | readonly string[];
  readonly scenario: string | object;
  readonly mirror?: string;
  readonly args?: readonly string[];
}

export interface MachineStart {
  readonly machine: 'install' | 'boot';
  readonly disk: string;
  /** Whether the guest was told of first-boot data, as only the boot that verifies an image is. */
  readonly firstBoot: boolean;
  readonly pid: number;
}

export interface RunningBuild {
  readonly child: ChildProcess;
  /** Standard error so far. */
  readonly said: () => string;
  readonly ended: Promise<EndedBuild>;
  /** Waits until the build has said this. */
  readonly untilSaid: (text: string) => Promise<void>;
}

export interface EndedBuild {
  readonly exitCode: number | null;
  /** Standard error. */
  readonly said: string;
  /** Standard output. */
  readonly printed: string;
  readonly seconds: number;
}

/** Holds the fake's journal. A raw image is read whole for its digest, so size is time. */
const diskSize = '16MiB';

const contents: Readonly<Record<string, string>> = {
  kernel: 'not a kernel\n',
  initrd: 'not an initrd\n',
  udeb: 'not a udeb\n',
};

export async function makeFakeSite(): Promise<FakeSite> {
  const root = await mkdtemp(join(tmpdir(), 'kvmimg-fake-site-'));
  const server = createServer((request, response) => {
    const known = request.url?.endsWith('/InRelease') ? 'Suite: fake\n' : contentOfPool(request.url ?? '');
    response.writeHead(known === undefined ? 404 : 200).end(known);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const mirrorUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`;
  await writeDistro(join(root, 'distros'));
  await writeMedia(join(root, 'media'));
  const site = { root, cacheDir: join(root, 'cache'), outDir: join(root, 'out'), mirrorUrl };
  const started: RunningBuild[] = [];
  const run = (words: readonly string[], options: RunOptions = {}): RunningBuild => {
    const running = startKvmimg(site, words, options);
    started.push(running);
    return running;
  };
  return {
    ...site,
    flags: siteFlags(root, mirrorUrl),
    build: (options) => run(buildWords(site, options), options),
    run,
    writeRecipe: async (name, settings) => {
      const path = join(root, `${name}.yaml`);
      await writeFile(path, stringify({ name, distro: 'fake-13', disk: { size: diskSize }, ...settings }));
      return path;
    },
    journalOf: readJournal,
    untilLogged: (text) => untilLogged(root, text),
    machineStarts: async () => (await readLog(root)).filter((entry): entry is MachineStart => 'machine' in entry),
    commandLines: async () =>
      (await readLog(root)).flatMap((entry) => {
        if ('argv' in entry) return [entry.argv.join(' ')];
        return 'guest' in entry ? [entry.guest] : [];
      }),
    leftovers: (outputs = []) => findLeftovers(site, outputs),
    close: async () => {
      for (const { child } of started) child.kill('SIGKILL');
      await Promise.all(started.map(({ ended }) => ended));
      server.closeAllConnections();
      server.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function contentOfPool(url: string): string | undefined {
  return url.endsWith('.udeb') && !url.includes('/gone') ? contents.udeb : undefined;
}

function pinned(name: string) {
  const content = contents[name] ?? '';
  return { sizeBytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

async function writeDistro(folder: string): Promise<void> {
  await mkdir(join(folder, 'keys'), { recursive: true });
  const distro = parse(await readFile(join(repository, 'distros/debian-13.yaml'), 'utf8'));
  const facts = {
    ...{ ...distro, id: 'fake-13', diskMinimum: diskSize },
    ...{ skipUdebs: [], installerLocks: { amd64: 'fake.lock.json' } },
  };
  await writeFile(join(folder, 'fake-13.yaml'), stringify(facts));
  await writeFile(join(folder, distro.mirrors.keyring), 'no keys\n');
  const lock = {
    ...{ lockVersion: 1, distro: 'fake-13', arch: 'amd64', suite: 'trixie', release: '13.0', kernelVersion: '1-amd64' },
    netboot: { path: 'pool/netboot.deb', ...pinned('kernel') },
    kernel: { member: 'boot/linux', ...pinned('kernel') },
    initrd: { member: 'boot/initrd.gz', ...pinned('initrd') },
    udebs: [{ package: 'only-udeb', version: '1', file: { path: 'pool/only.udeb', ...pinned('udeb') }, fields: {} }],
  };
  await writeFile(join(folder, 'fake.lock.json'), JSON.stringify(lock));
}

async function writeMedia(folder: string): Promise<void> {
  await mkdir(join(folder, 'netboot'), { recursive: true });
  await writeFile(join(folder, 'netboot/linux'), contents.kernel ?? '');
  await writeFile(join(folder, 'netboot/initrd.gz'), contents.initrd ?? '');
}

type Site = Pick<FakeSite, 'root' | 'cacheDir' | 'outDir' | 'mirrorUrl'>;

function buildWords(site: Site, options: BuildOptions): string[] {
  const { subject = 'fake-13', mirror = site.mirrorUrl, args = [] } = options;
  const subjects = [subject].flat();
  const flags = siteFlags(site.root, mirror);
  if (subjects.includes('fake-13')) flags.push('--set', `disk.size=${diskSize}`);
  return ['build', ...subjects, ...flags, '-o', site.outDir, '--log-format', 'plain', ...args];
}

function siteFlags(root: string, mirror: string): string[] {
  return ['--mirror', mirror, '--set', `securityMirror=${mirror}`, '--media', join(root, 'media')];
}

function startKvmimg(site: Site, words: readonly string[], options: RunOptions): RunningBuild {
  const { scenario = 'builds', env = {} } = options;
  const startMs = performance.now();
  const child = spawn(process.execPath, ['dist/main.js', ...words], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: `${join(repository, 'fixtures/bin')}${delimiter}${process.env.PATH}`,
      KVMIMG_CACHE_DIR: site.cacheDir,
      KVMIMG_DISTROS_DIR: join(site.root, 'distros'),
      FAKE_QEMU_SCENARIO: typeof scenario === 'string' ? scenario : JSON.stringify(scenario),
      FAKE_QEMU_LOG: logPath(site.root),
      ...env,
    },
  });
  let [said, printed] = ['', ''];
  child.stdout.on('data', (piece) => {
    printed += piece;
  });
  child.stderr.on('data', (piece) => {
    said += piece;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve)).then((exitCode) => {
    return { exitCode, said, printed, seconds: (performance.now() - startMs) / 1000 };
  });
  return { child, said: () => said, ended, untilSaid: (text) => untilSaid(child, () => said, text) };
}

async function untilSaid(child: ChildProcess, said: () => string, text: string): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!said().includes(text)) {
    if (child.exitCode !== null || performance.now() > deadlineMs) throw new Error(`never said ${text}:\n${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const journalOffset = 2 ** 20;
const slotBytes = 65_536;

/** Each entry fills a slot by its line again and again; the first slot of zeros is behind the last entry. */
async function readJournal(rawPath: string): Promise<string[]> {
  const file = await open(rawPath, 'r');
  try {
    const entries: string[] = [];
    for (;;) {
      const slot = Buffer.alloc(slotBytes);
      await file.read(slot, 0, slotBytes, journalOffset + entries.length * slotBytes);
      const line = slot.toString('latin1').split('\n')[0] ?? '';
      if (slot.equals(Buffer.alloc(slotBytes))) return entries;
      if (!slot.equals(Buffer.alloc(slotBytes, `${line}\n`))) throw new Error(`damaged entry after ${entries.at(-1)}`);
      entries.push(line);
    }
  } finally {
    await file.close();
  }
}

function logPath(root: string): string {
  return join(root, 'qemu.log');
}

async function untilLogged(root: string, text: string): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    const log = await readFile(logPath(root), 'utf8').catch(() => '');
    if (log.includes(text)) return;
    if (performance.now() > deadlineMs) throw new Error(`the fake QEMU never logged ${text}:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

type LogEntry = MachineStart | { readonly argv: readonly string[] } | { readonly guest: string };

async function readLog(root: string): Promise<LogEntry[]> {
  const text = await readFile(logPath(root), 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as LogEntry);
}

async function findLeftovers({ cacheDir, outDir, root }: Site, outputs: readonly string[]): Promise<string[]> {
  const inside = async (folder: string): Promise<string[]> =>
    (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
  const files = [
    ...(await inside(join(cacheDir, 'work'))),
    ...(await inside(join(cacheDir, 'locks'))),
    ...(await inside(outDir)).filter((path) => !outputs.includes(basename(path))),
  ];
  const processes: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    if (commandLine.includes(root)) processes.push(commandLine);
  }
  return [...files, ...processes];
}
