import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { installFactsSchema } from '../../src/build/manifest.ts';
import { Scope } from '../../src/lifecycle/scope.ts';
import { type RunResult, run } from '../../src/process/run.ts';
import { startAnswerServer } from './answer-server.ts';
import { fetchDebianParts } from './debian-parts.ts';
import { isoMedia, makePhotonIso, makeRedhatIso, makeRedhatTree, makeUbuntuIso } from './make-media.ts';
import type { Scenario } from './tiny-initrd.ts';

const repository = join(import.meta.dirname, '../..');
const mebibyte = 2 ** 20;

/** A distribution of each family, whose media are made here. */
export const samples = { ubuntu: 'ubuntu-2404', redhat: 'rocky-9', photon: 'photon-5' } as const;
export type Sample = keyof typeof samples;

export interface FamilyBuild {
  readonly exitCode: number | undefined;
  /** Standard error. */
  readonly said: string;
  /** What the installer has written to the disk of the layer; undefined where there is none. */
  readonly disk: string | undefined;
  /** Names of the boot media that the layer tells of. */
  readonly media: readonly string[];
  /** The files of the failure report, by name. */
  readonly report: Readonly<Record<string, string>>;
  /** Requests of the guest for what a mirror would have. */
  readonly fetched: readonly string[];
}

/** Builds the sample of a family with the tiny installer in the place of the real one. */
export interface FamilySite {
  readonly build: (family: Sample, scenario: Scenario, ...flags: readonly string[]) => Promise<FamilyBuild>;
  readonly close: () => Promise<void>;
}

const makers = { ubuntu: makeUbuntuIso, redhat: makeRedhatIso, photon: makePhotonIso } as const;

export async function makeFamilySite(): Promise<FamilySite> {
  await fetchDebianParts();
  const root = await mkdtemp(join(tmpdir(), 'kvmimg-families-'));
  return {
    build: (family, scenario, ...flags) => buildFamily(root, { family, scenario, flags }),
    close: () => rm(root, { recursive: true, force: true }),
  };
}

interface Wanted {
  readonly family: Sample;
  readonly scenario: Scenario;
  readonly flags: readonly string[];
}

async function buildFamily(root: string, { family, scenario, flags }: Wanted): Promise<FamilyBuild> {
  const folder = await mkdtemp(join(root, `${family}-`));
  const scope = new Scope();
  try {
    const fromTree = family === 'redhat' && !flags.includes('installer.from=iso');
    const served = join(folder, 'mirror');
    const server = await startAnswerServer(scope, served);
    const media = fromTree ? await makeTree(served, scenario) : await makeIsoFolder(folder, family, scenario);
    await writeDistros(join(folder, 'distros'), family, { ...media, mirror: `http://127.0.0.1:${server.port}` });
    const from = media.iso ? ['--media', join(folder, 'media')] : [];
    const result = await kvmimg(folder, [samples[family], ...from, ...flags]);
    const fetched = server.requests.map(({ path }) => path);
    return { ...(await describe(folder, result)), fetched };
  } finally {
    await scope.close();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Media {
  /** Facts of the ISO that take the place of the distribution's. */
  readonly iso?: Readonly<Record<string, unknown>>;
}

async function makeTree(served: string, scenario: Scenario): Promise<Media> {
  await makeRedhatTree({ dir: join(served, '9/BaseOS/x86_64/os'), scenario });
  const repodata = join(served, '9/AppStream/x86_64/os/repodata');
  await mkdir(repodata, { recursive: true });
  await writeFile(join(repodata, 'repomd.xml'), '<repomd/>\n');
  return {};
}

/** The ISO in a folder of local media, as where there is no network. */
async function makeIsoFolder(folder: string, family: Sample, scenario: Scenario): Promise<Media> {
  const dir = join(folder, 'media');
  await mkdir(dir);
  const { path, sha256, sizeBytes, volumeId } = await makers[family]({ dir, scenario });
  const { kernel, initrd } = isoMedia[family];
  const fileName = path.slice(dir.length + 1);
  return { iso: { fileName, urls: [], sha256, sizeBytes, volumeId, kernel: `/${kernel}`, initrd: `/${initrd}` } };
}

/** kvmimg's own facts, but for the media and what the tiny installer does not need. */
async function writeDistros(
  dir: string,
  family: Sample,
  { iso, mirror }: Media & { readonly mirror: string },
): Promise<void> {
  await cp(join(repository, 'distros'), dir, { recursive: true });
  const path = join(dir, `${samples[family]}.yaml`);
  const facts = parse(await readFile(path, 'utf8'));
  const changed = {
    ...{ ...facts, memoryMinimum: '512MiB', diskMinimum: '64MiB', installedSize: '1MiB', mirrors: { public: mirror } },
    ...(iso && { arches: ['amd64'], iso: { amd64: iso } }),
  };
  await writeFile(path, stringify(changed));
}

function kvmimg(folder: string, words: readonly string[]): Promise<RunResult> {
  const args = ['build', ...words, '--accel', 'tcg', '--until', 'install', '--log-format', 'plain'];
  const settings = ['memory=1GiB', 'disk.size=256MiB', 'limits.silence=30s'].flatMap((setting) => ['--set', setting]);
  const env = { KVMIMG_CACHE_DIR: join(folder, 'cache'), KVMIMG_DISTROS_DIR: join(folder, 'distros') };
  const okExitCodes = [0, 1, 2];
  return run(process.execPath, [join(repository, 'dist/main.js'), ...args, ...settings], {
    cwd: folder,
    env,
    okExitCodes,
    timeoutMs: 110_000,
  });
}

async function describe(
  folder: string,
  { exitCode, stdout, stderr }: RunResult,
): Promise<Omit<FamilyBuild, 'fetched'>> {
  const reports = join(folder, 'cache/reports');
  const [name] = await readdir(reports).catch(() => []);
  const files = name === undefined ? [] : await readdir(join(reports, name));
  const logs = files.filter((file) => file.endsWith('.log'));
  const report = await Promise.all(
    logs.map(async (file) => [file, await readFile(join(reports, name ?? '', file), 'utf8')] as const),
  );
  const isDone = exitCode === 0;
  const disk = isDone ? await readDisk(folder, stdout.trim()) : undefined;
  const media = isDone ? await readMediaOfLayer(stdout.trim()) : [];
  return { exitCode, said: stderr, disk, media, report: Object.fromEntries(report) };
}

/** Names of the files that the layer says its installer was started from; each must have a digest. */
async function readMediaOfLayer(layerPath: string): Promise<string[]> {
  const { facts } = JSON.parse(await readFile(join(dirname(layerPath), 'layer.json'), 'utf8'));
  const { media } = installFactsSchema.parse(facts);
  return media.map((file) => basename(file.file));
}

/** The tiny installer writes who it was to 1 MiB of the disk that it has found. */
async function readDisk(folder: string, layerPath: string): Promise<string> {
  const raw = join(folder, 'disk.raw');
  await run('qemu-img', ['convert', '-O', 'raw', layerPath, raw]);
  const file = await open(raw);
  try {
    const { buffer } = await file.read(Buffer.alloc(64), 0, 64, mebibyte);
    return buffer.toString().split('\n', 1)[0]?.replaceAll('\0', '') ?? '';
  } finally {
    await file.close();
  }
}
