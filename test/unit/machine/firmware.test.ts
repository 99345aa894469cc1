import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultFirmwareDirs, findFirmware } from '../../../src/machine/firmware.ts';

let dirs: readonly string[];
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  dirs = ['usr', 'etc', 'home'].map((name) => join(root, name));
  for (const dir of dirs) await mkdir(dir);
});

afterEach(() => rm(root, { recursive: true, force: true }));

/** A descriptor in the shape of Debian's ovmf package. */
function descriptor(
  code: string,
  changes: Record<string, unknown> = {},
  mapping: Record<string, unknown> = {},
): string {
  return JSON.stringify({
    description: 'UEFI firmware',
    'interface-types': ['uefi'],
    mapping: {
      device: 'flash',
      executable: { filename: code, format: 'raw' },
      'nvram-template': { filename: `${code}.vars`, format: 'raw' },
      ...mapping,
    },
    targets: [{ architecture: 'x86_64', machines: ['pc-i440fx-*', 'pc-q35-*'] }],
    features: ['acpi-s3', 'verbose-dynamic'],
    tags: [],
    ...changes,
  });
}

const secure = { features: ['secure-boot', 'requires-smm'] };
const enrolled = { features: ['secure-boot', 'enrolled-keys', 'requires-smm'] };
const arm = { targets: [{ architecture: 'aarch64', machines: ['virt-*'] }] };

interface Case {
  readonly title: string;
  readonly files: Readonly<Record<string, string>>;
  readonly arch?: 'amd64' | 'arm64';
  readonly needsSmm?: boolean;
  readonly found: string | undefined;
}

const cases: readonly Case[] = [
  {
    title: 'the first by name',
    files: { 'usr/60-b.json': descriptor('b'), 'usr/50-a.json': descriptor('a') },
    found: 'a',
  },
  {
    title: 'by name across folders, not by folder',
    files: { 'usr/50-a.json': descriptor('a'), 'home/60-b.json': descriptor('b') },
    found: 'a',
  },
  {
    title: 'a namesake in /etc replaces the one in /usr, and the user’s that of /etc',
    files: { 'usr/50.json': descriptor('a'), 'etc/50.json': descriptor('b'), 'home/50.json': descriptor('c') },
    found: 'c',
  },
  {
    title: 'an empty namesake hides it',
    files: { 'usr/50.json': descriptor('a'), 'etc/50.json': '', 'usr/60.json': descriptor('b') },
    found: 'b',
  },
  {
    title: 'without Secure Boot, with keys enrolled or not',
    files: {
      'usr/40.json': descriptor('ms', enrolled),
      'usr/50.json': descriptor('sb', secure),
      'usr/60.json': descriptor('a'),
    },
    found: 'a',
  },
  {
    title: 'with what it needs of the machine',
    files: { 'usr/50.json': descriptor('a', { features: ['requires-smm'] }) },
    needsSmm: true,
    found: 'a',
  },
  {
    title: 'of the right architecture',
    files: { 'usr/5.json': descriptor('x'), 'usr/6.json': descriptor('a', arm) },
    arch: 'arm64',
    found: 'a',
  },
  {
    title: 'no firmware of other kinds: BIOS, in memory, without variables',
    files: {
      'usr/1.json': descriptor('x', { 'interface-types': ['bios'] }),
      'usr/2.json': descriptor('x', {}, { device: 'memory' }),
      'usr/3.json': descriptor('x', {}, { mode: 'stateless', 'nvram-template': undefined }),
      'usr/4.json': descriptor('x', { targets: [{ architecture: 'x86_64', machines: ['microvm'] }] }),
      'usr/5.json': descriptor('a', {}, { mode: 'split' }),
    },
    found: 'a',
  },
  { title: 'a damaged file is passed over', files: { 'usr/1.json': '{', 'usr/2.json': descriptor('a') }, found: 'a' },
  { title: 'other files are none', files: { 'usr/1.txt': descriptor('a') }, found: undefined },
];

describe('findFirmware', () => {
  it.each(cases)('$title', async ({ files, arch = 'amd64', needsSmm = false, found }) => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
    const finding = findFirmware(arch, { dirs });
    if (found === undefined) {
      await expect(finding).rejects.toMatchObject({ code: 'firmware-missing', hint: expect.stringContaining('ovmf') });
    } else {
      expect(await finding).toMatchObject({ codePath: found, varsTemplatePath: `${found}.vars`, needsSmm });
    }
  });
});

describe('the hint where there is none', () => {
  it.each([
    ['amd64', /ovmf.*doctor --fix --arch amd64.*--firmware bios/],
    // There is no other way to start such a machine.
    ['arm64', /qemu-efi-aarch64.*doctor --fix --arch arm64`\.$/],
  ] as const)('for %s', async (arch, hint) => {
    await expect(findFirmware(arch, { dirs })).rejects.toMatchObject({ hint: expect.stringMatching(hint) });
  });
});

describe('defaultFirmwareDirs', () => {
  it('ends with the user’s own', () => {
    expect(defaultFirmwareDirs({ XDG_CONFIG_HOME: '/c' }).slice(-3)).toEqual([
      '/usr/share/qemu/firmware',
      '/etc/qemu/firmware',
      '/c/qemu/firmware',
    ]);
  });
});
