import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectImage } from '../../src/export/inspect-image.ts';
import { thisHost } from '../../src/host/facts.ts';
import { findQemuSystem } from '../../src/host/programs.ts';
import { withScope } from '../../src/lifecycle/scope.ts';
import { chooseAccel } from '../../src/machine/accel/choose-accel.ts';
import { findFirmware } from '../../src/machine/firmware.ts';
import { run } from '../../src/process/run.ts';
import { type BootedImage, bootImage, waitForFirstBoot } from '../../src/verify/boot-image.ts';
import { checkImage } from '../../src/verify/check-image.ts';
import { descendants, findExposedSockets, type OpenSocket } from './listening-sockets.ts';

const repository = join(import.meta.dirname, '../..');
const minuteMs = 60_000;
const extensions = ['qcow2', 'raw', 'vmdk', 'ova'] as const;

interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly seconds: number;
  readonly exposed: readonly OpenSocket[];
  /** Command lines seen while it ran. */
  readonly commandLines: ReadonlySet<string>;
}

/** Runs a command of the repository with this cache, watching what its processes listen on and are called. */
async function runWatched(program: string, args: readonly string[], cacheDir: string): Promise<Finished> {
  const startMs = performance.now();
  const child = spawn(program, args, {
    cwd: repository,
    env: { ...process.env, KVMIMG_CACHE_DIR: cacheDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exposed: OpenSocket[] = [];
  const commandLines = new Set<string>();
  const pid = child.pid ?? 0;
  const timer = setInterval(async () => {
    exposed.push(...(await findExposedSockets(pid)));
    for (const each of await descendants(pid)) {
      commandLines.add((await readFile(`/proc/${each}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' '));
    }
  }, 5_000);
  let stdout = '';
  child.stdout.on('data', (piece) => {
    stdout += piece;
  });
  const exitCode = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(timer);
  return { exitCode, stdout, seconds: (performance.now() - startMs) / 1000, exposed, commandLines };
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

async function readManifest(path: string) {
  return JSON.parse(await readFile(path, 'utf8'));
}

describe('debian-13, the whole way', () => {
  const out = join(repository, 'out');
  const file = (extension: string): string => join(out, `debian-13.${extension}`);
  let cacheDir = '';
  let first: Finished;

  beforeAll(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'kvmimg-install-test-'));
    await rm(out, { recursive: true, force: true });
    first = await runWatched('npm', ['run', '-s', 'quickstart'], cacheDir);
    console.info(`npm run quickstart: ${Math.round(first.seconds)} s`);
  });
  afterAll(() => rm(cacheDir, { recursive: true, force: true }));

  it("ends README's first command with the four files and a manifest within 45 minutes", async () => {
    expect(first.exitCode).toBe(0);
    expect(first.seconds).toBeLessThan(45 * 60);
    expect((await readdir(out)).sort()).toEqual(
      ['manifest.json', 'ova', 'qcow2', 'raw', 'vmdk'].map((name) => `debian-13.${name}`),
    );
    const { seconds } = await readManifest(file('manifest.json'));
    for (const [phase, value] of Object.entries(seconds)) console.info(`${phase}: ${value} s`);
  });

  it('listens on loopback only, and shows no token and no key in a command line', () => {
    expect(first.exposed).toEqual([]);
    const lines = [...first.commandLines].filter((line) => /qemu-system|\bssh\b/.test(line));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.filter((line) => /10\.0\.2\.2|PRIVATE KEY|preseed\.cfg/.test(line))).toEqual([]);
  });

  it('leaves no work folder, lock or process', async () => {
    expect(await readdir(join(cacheDir, 'work'))).toEqual([]);
    expect(await readdir(join(cacheDir, 'locks'))).toEqual([]);
    const { stdout } = await run('ps', ['-eo', 'args']);
    expect(stdout.split('\n').filter((line) => line.includes(cacheDir) && line.includes('qemu'))).toEqual([]);
  });

  it('writes one disk in four formats, with right digests and sizes', async () => {
    const manifest = await readManifest(file('manifest.json'));
    expect(manifest.files.map((entry: { format: string }) => entry.format)).toEqual([...extensions]);
    for (const entry of manifest.files) {
      expect((await stat(join(out, entry.file))).size).toBe(entry.sizeBytes);
      expect(await sha256Of(join(out, entry.file))).toBe(entry.sha256);
    }
    const listing = await run('tar', ['-tf', file('ova')]);
    expect(listing.stdout.trim().split('\n')).toEqual(['debian-13.ovf', 'debian-13.mf', 'debian-13.vmdk']);
    const inside = join(cacheDir, 'ova');
    await mkdir(inside);
    await run('tar', ['-xf', file('ova'), '-C', inside]);
    for (const other of [file('raw'), file('vmdk'), join(inside, 'debian-13.vmdk')]) {
      await run('qemu-img', ['compare', file('qcow2'), other], { timeoutMs: 5 * minuteMs });
    }
  });

  it('holds nothing of the build on the powered-off disk', async () => {
    const { disk } = await inspectImage(file('raw'));
    const root = disk.layout.partitions.at(-1);
    expect(root?.fileSystem?.type).toBe('ext4');
    const image = `${file('raw')}?offset=${root?.offsetBytes}`;
    const debugfs = async (command: string): Promise<string> => {
      const result = await run('debugfs', ['-R', command, image]);
      return result.stdout + result.stderr.split('\n').slice(1).join('\n');
    };
    const shadow = await debugfs('cat /etc/shadow');
    expect(shadow).toMatch(/^root:[!*]/m);
    expect(shadow.split('\n').filter((line) => /^[^:]+:[^!*:]/.test(line))).toEqual([]);
    expect(await debugfs('cat /etc/passwd')).not.toContain('kvmimg-build');
    expect((await debugfs('cat /etc/machine-id')).trim()).toBe('');
    expect(await debugfs('ls /etc/ssh')).not.toContain('ssh_host_');
    expect(await debugfs('ls /home')).not.toContain('kvmimg-build');
    expect(await debugfs('ls /etc/sudoers.d')).not.toContain('kvmimg-build');
    expect(await debugfs('ls /var/lib/apt/lists')).not.toContain('_dists_');
    expect(await debugfs('ls /var/log')).not.toContain('installer');
    expect(await debugfs('cat /etc/apt/sources.list.d/debian.sources')).not.toContain('10.0.2');
    for (const path of ['/var/lib/cloud', '/var/lib/systemd/random-seed', '/var/lib/dbus/machine-id', '/root/.ssh']) {
      expect(await debugfs(`stat ${path}`), path).toContain('File not found');
    }
  });

  it('boots as BIOS and as UEFI machine into clones that differ, with a grown root and no failed unit', async () => {
    const identities = await withScope(async (scope) => {
      const signal = AbortSignal.timeout(15 * minuteMs);
      const binary = (await findQemuSystem('amd64', thisHost)) ?? '';
      const decision = await chooseAccel({ choice: 'auto', arch: 'amd64', binary, cacheDir, signal });
      const boot = async (firmware: 'bios' | 'uefi'): Promise<BootedImage> => {
        const workDir = join(cacheDir, `boot-${firmware}`);
        await mkdir(workDir);
        const booted = await bootImage(
          {
            image: { path: file('qcow2'), format: 'qcow2' },
            hardware: {
              arch: 'amd64',
              accel: decision.accel,
              cpuModel: decision.cpuModel,
              cpus: 1,
              memoryBytes: 2 ** 30,
              firmware: firmware === 'bios' ? { kind: 'bios' } : await findFirmware('amd64'),
              bus: firmware === 'bios' ? 'virtio' : 'sata',
              nic: firmware === 'bios' ? 'virtio-net-pci' : 'e1000e',
            },
            hostname: `clone-${firmware}`,
            user: 'ops',
            diskSizeBytes: 12 * 2 ** 30,
          },
          { workDir, scope, signal, limitMs: 10 * minuteMs },
        );
        console.info(`${firmware}: login after ${Math.round(booted.secondsToLogin)} s`);
        await waitForFirstBoot(booted);
        await checkImage(booted, [
          { element: 'host name from the seed', words: ['sh', '-c', `test "$(hostname)" = clone-${firmware}`] },
          firmware === 'uefi'
            ? { element: 'booted by UEFI', words: ['test', '-d', '/sys/firmware/efi'] }
            : { element: 'booted by BIOS', words: ['test', '!', '-d', '/sys/firmware/efi'] },
        ]);
        return booted;
      };
      const clones = await Promise.all([boot('bios'), boot('uefi')]);
      return Promise.all(
        clones.map(async ({ guest }) => ({
          machineId: (await guest.run(['cat', '/etc/machine-id'], { signal })).stdout,
          hostKeys: (await guest.run(['sh', '-c', 'cat /etc/ssh/ssh_host_*.pub | cut -d" " -f2'], { signal })).stdout,
        })),
      );
    });
    const [one, other] = identities;
    expect(one?.machineId).toMatch(/^[0-9a-f]{32}\n$/);
    expect(one?.machineId).not.toBe(other?.machineId);
    const keysOf = (text = ''): string[] => text.trim().split('\n');
    expect(keysOf(one?.hostKeys).length).toBeGreaterThan(0);
    expect(keysOf(one?.hostKeys).filter((key) => keysOf(other?.hostKeys).includes(key))).toEqual([]);
  });

  it('applies and verifies every kind of element on the install that is there, and fetches no package twice', async () => {
    const recipe = join(repository, 'fixtures/recipes/every-element.yaml');
    const destination = join(cacheDir, 'out');
    const args = ['dist/main.js', 'build', recipe, '-o', destination, '--log-format', 'plain'];
    const built = await runWatched('node', args, cacheDir);
    expect(built.exitCode).toBe(0);
    expect(built.stdout.trim().split('\n')).toEqual(
      ['qcow2', 'manifest.json'].map((extension) => join(destination, `every-element.${extension}`)),
    );
    const { layers, seconds } = await readManifest(join(destination, 'every-element.manifest.json'));
    expect(layers.install.reused).toBe(true);
    expect(seconds.install).toBeUndefined();
    const again = await runWatched('node', [...args, '--force'], cacheDir);
    expect(again.exitCode).toBe(0);
    const { mirror } = await readManifest(join(destination, 'every-element.manifest.json'));
    expect(mirror.packages.bytesFromMirror).toBe(0);
  });
});
