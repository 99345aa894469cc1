import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectImage } from '../../src/export/inspect-image.ts';
import { packageManagers } from '../../src/guest/packages/package-manager.ts';
import { thisHost } from '../../src/host/facts.ts';
import { findQemuSystem } from '../../src/host/programs.ts';
import { withScope } from '../../src/lifecycle/scope.ts';
import { chooseAccel } from '../../src/machine/accel/choose-accel.ts';
import { findFirmware } from '../../src/machine/firmware.ts';
import { run } from '../../src/process/run.ts';
import { type BootedImage, bootImage, waitForFirstBoot } from '../../src/verify/boot-image.ts';
import { checkImage } from '../../src/verify/check-image.ts';
import { chaosWithRealQemu } from '../chaos/real.ts';
import { testBadEnds } from './bad-ends.ts';
import { testBuiltAgain } from './built-again.ts';
import { findTexts, keysOfBuild } from './raw-traces.ts';
import { extensions, type Finished, readManifest, repository, runWatched } from './watched-run.ts';

const minuteMs = 60_000;

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
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
    expect(Object.keys(seconds)).toEqual(['media', 'install', 'seal', 'verify', 'export']);
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
    expect(await debugfs('ls /var/log/journal')).not.toMatch(/[0-9a-f]{32}/);
    for (const folder of ['/var/lib/dhcp', '/var/lib/dhcpcd', '/run/systemd/netif', '/var/lib/systemd/network']) {
      expect(await debugfs(`ls ${folder}`), folder).not.toMatch(/lease/);
    }
    for (const path of ['/var/lib/cloud', '/var/lib/systemd/random-seed', '/var/lib/dbus/machine-id', '/root/.ssh']) {
      expect(await debugfs(`stat ${path}`), path).toContain('File not found');
    }
  });

  it('holds no key of the build anywhere on the disk, not in free blocks either', async () => {
    const keys = await keysOfBuild(cacheDir);
    expect(keys.map((key) => key.length >= 64)).toEqual([true, true, true]);
    expect(await findTexts(file('raw'), keys)).toEqual([]);
    // It would be found.
    expect(await findTexts(file('raw'), ['PRETTY_NAME="Debian GNU/Linux 13'])).toHaveLength(1);
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
              // Verify has booted it by virtio. OVMF of Debian 12 does not boot from PVSCSI.
              bus: firmware === 'bios' ? 'pvscsi' : 'nvme',
              nic: firmware === 'bios' ? 'vmxnet3' : 'e1000e',
            },
            hostname: `clone-${firmware}`,
            user: 'ops',
            diskSizeBytes: 12 * 2 ** 30,
          },
          { workDir, scope, signal, limitMs: 10 * minuteMs },
        );
        console.info(`${firmware}: login after ${Math.round(booted.secondsToLogin)} s`);
        await waitForFirstBoot(booted);
        await checkImage(
          booted,
          [
            { element: 'host name from the seed', words: ['sh', '-c', `test "$(hostname)" = clone-${firmware}`] },
            firmware === 'uefi'
              ? { element: 'booted by UEFI', words: ['test', '-d', '/sys/firmware/efi'] }
              : { element: 'booted by BIOS', words: ['test', '!', '-d', '/sys/firmware/efi'] },
          ],
          { packages: packageManagers.debian, disk: { layout: 'single', swap: undefined } },
        );
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

  testBuiltAgain({ cacheDir: () => cacheDir });

  testBadEnds({ cacheDir: () => cacheDir });

  it('comes through ten kills and damaged layers with the real QEMU', async () => {
    const { kills, damages } = await chaosWithRealQemu(cacheDir);
    expect(kills).toBe(10);
    expect(damages).toBeGreaterThanOrEqual(2);
  });
});
