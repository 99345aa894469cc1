import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parse, stringify } from 'yaml';

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
  readonly build: (options: BuildOptions) => RunningBuild;
  /** What a build has left behind: work folders, locks, half files, processes. */
  readonly leftovers: () => Promise<string[]>;
  readonly close: () => Promise<void>;
}

interface BuildOptions {
  readonly scenario: string | object;
  readonly mirror?: string;
  readonly args?: readonly string[];
}

export interface RunningBuild {
  readonly child: ChildProcess;
  /** Standard error so far. */
  readonly said: () => string;
  readonly ended: Promise<{ readonly exitCode: number | null; readonly said: string; readonly seconds: number }>;
  /** Waits until the build has said this. */
  readonly untilSaid: (text: string) => Promise<void>;
}

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
  return {
    ...site,
    build: (options) => startBuild(site, options),
    leftovers: () => findLeftovers(site),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function contentOfPool(url: string): string | undefined {
  return url.endsWith('.udeb') ? contents.udeb : undefined;
}

function pinned(name: string) {
  const content = contents[name] ?? '';
  return { sizeBytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

async function writeDistro(folder: string): Promise<void> {
  await mkdir(join(folder, 'keys'), { recursive: true });
  const distro = parse(await readFile(join(repository, 'distros/debian-13.yaml'), 'utf8'));
  const facts = { ...distro, id: 'fake-13', skipUdebs: [], installerLocks: { amd64: 'fake.lock.json' } };
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

function startBuild(site: Site, { scenario, mirror = site.mirrorUrl, args = [] }: BuildOptions): RunningBuild {
  const startMs = performance.now();
  const flags = ['--mirror', mirror, '--set', `securityMirror=${mirror}`, '--media', join(site.root, 'media')];
  const commandLine = [
    'dist/main.js',
    'build',
    'fake-13',
    ...flags,
    '-o',
    site.outDir,
    '--log-format',
    'plain',
    ...args,
  ];
  const child = spawn(process.execPath, commandLine, {
    cwd: repository,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      PATH: `${join(repository, 'fixtures/bin')}${delimiter}${process.env.PATH}`,
      KVMIMG_CACHE_DIR: site.cacheDir,
      KVMIMG_DISTROS_DIR: join(site.root, 'distros'),
      FAKE_QEMU_SCENARIO: typeof scenario === 'string' ? scenario : JSON.stringify(scenario),
    },
  });
  let said = '';
  child.stderr.on('data', (piece) => {
    said += piece;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve)).then((exitCode) => {
    return { exitCode, said, seconds: (performance.now() - startMs) / 1000 };
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

async function findLeftovers({ cacheDir, outDir, root }: Site): Promise<string[]> {
  const inside = async (folder: string): Promise<string[]> =>
    (await readdir(folder).catch(() => [])).map((name) => join(folder, name));
  const files = [
    ...(await inside(join(cacheDir, 'work'))),
    ...(await inside(join(cacheDir, 'locks'))),
    ...(await inside(outDir)),
  ];
  const processes: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    if (commandLine.includes(root)) processes.push(commandLine);
  }
  return [...files, ...processes];
}
