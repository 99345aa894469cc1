import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readKeys } from 'openpgp';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadUbuntuTemplates, renderUbuntuAnswerFile } from '../../../src/answer-file/ubuntu.ts';
import { distrosDir, loadDistros } from '../../../src/distro/catalogue.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';
import { type Autoinstall, autoinstallSchemas, type StorageAction } from './autoinstall-schema.ts';

const golden = new URL('../../../fixtures/golden/', import.meta.url);
const distros = (await loadDistros()).filter(({ family }) => family === 'ubuntu');
const answers: { readonly release: string; readonly name: string; readonly text: string }[] = [];
for (const { id, release } of distros) {
  for (const kind of await readdir(new URL(`${id}/`, golden))) {
    const text = await readFile(new URL(`${id}/${kind}/user-data`, golden), 'utf8');
    answers.push({ release, name: `${id}/${kind}`, text });
  }
}

function read(text: string): Autoinstall {
  return (parse(text, { version: '1.1' }) as { autoinstall: Autoinstall }).autoinstall;
}

type ActionOf<T extends StorageAction['type']> = Extract<StorageAction, { readonly type: T }>;

function actionsOf<T extends StorageAction['type']>(text: string, type: T): readonly ActionOf<T>[] {
  return read(text).storage.config.filter((action): action is ActionOf<T> => action.type === type);
}

/** Ids that an action names. */
function referencesOf(action: StorageAction): readonly string[] {
  switch (action.type) {
    case 'disk':
      return [];
    case 'partition':
    case 'mount':
      return [action.device];
    case 'lvm_volgroup':
      return action.devices;
    case 'lvm_partition':
      return [action.volgroup];
    case 'format':
      return [action.volume];
  }
}

describe('the golden answer files of Ubuntu', () => {
  it('are there for three releases and five recipes each', () => {
    expect(answers).toHaveLength(15);
  });

  describe.each(answers)('$name', ({ name, release, text }) => {
    it('begin with the line by which cloud-init knows them, and name the reference', () => {
      expect(text.split('\n')[0]).toBe('#cloud-config');
      // subiquity's validate-autoinstall-user-data.py wants it.
      expect(text).toContain(
        'https://canonical-subiquity.readthedocs-hosted.com/en/latest/reference/autoinstall-reference.html',
      );
    });

    it.each(['1.1', '1.2'] as const)('have only what the format knows, read as YAML %s', (version) => {
      const schema = autoinstallSchemas[release];
      expect(schema?.safeParse(parse(text, { version })).error).toBeUndefined();
    });

    it('use each device after it was made, under an id of its own', () => {
      const { config } = read(text).storage;
      const known = new Set<string>();
      for (const action of config) {
        for (const id of referencesOf(action)) expect(known, `${action.id} names ${id}`).toContain(id);
        expect(known).not.toContain(action.id);
        known.add(action.id);
      }
    });

    it('give the rest of the disk to the last partition, and the rest of the group to the last volume', () => {
      for (const type of ['partition', 'lvm_partition'] as const) {
        const sizes = actionsOf(text, type).map(({ size }) => size);
        expect(sizes.slice(0, -1)).not.toContain(-1);
        if (sizes.length > 0) expect(sizes.at(-1)).toBe(-1);
      }
    });

    it('number the partitions as they lie, BIOS boot partition and ESP first', () => {
      const partitions = actionsOf(text, 'partition');
      expect(partitions.map(({ number }) => number)).toEqual(partitions.map((_, index) => index + 1));
      expect(partitions.slice(0, 2).map(({ flag }) => flag)).toEqual(['bios_grub', 'boot']);
    });

    it('let curtin install GRUB where it must: a BIOS machine on the disk, a UEFI machine on the ESP', () => {
      const uefi = name.endsWith('/uefi');
      const devices = actionsOf(text, 'partition').filter((partition) => partition.grub_device);
      expect(actionsOf(text, 'disk').map(({ grub_device }) => grub_device)).toEqual([!uefi]);
      expect(devices.map(({ id }) => id)).toEqual(uefi ? ['esp'] : []);
    });

    it('mount a folder before what is in it', () => {
      const paths = actionsOf(text, 'mount').map(({ path }) => path);
      expect(paths[0]).toBe('/');
      for (const [index, path] of paths.entries()) {
        expect(paths.slice(index + 1).filter((later) => path.startsWith(`${later}/`))).toEqual([]);
      }
    });

    it('find the disk by its serial number, and ask nothing', () => {
      expect(actionsOf(text, 'disk')[0]?.match).toEqual({ serial: '*kvmimg-root' });
      expect(Object.keys(read(text))).not.toContain('interactive-sections');
      expect(read(text)).toMatchObject({ shutdown: 'poweroff', apt: { geoip: false, fallback: 'offline-install' } });
    });
  });
});

describe('the answer files of Ubuntu for UEFI machines', () => {
  const machines = [{ arch: 'amd64' }, { arch: 'arm64' }].flatMap((settings) =>
    distros.map(({ id, release }) => ({ id, release, ...settings })),
  );

  it.each(machines)(
    'have an ESP that subiquity takes for the boot loader: $id, $arch',
    async ({ id, release, arch }) => {
      const plan = await planForDistro(id, { arch, firmware: 'uefi' });
      const text = renderUbuntuAnswerFile(plan, answerRun, await loadUbuntuTemplates())['user-data'];
      expect(autoinstallSchemas[release]?.safeParse(parse(text)).error).toBeUndefined();
      // needs_bootloader_partition of subiquity/models/storage.py.
      const devices = actionsOf(text, 'partition').filter((partition) => partition.grub_device);
      const formats = actionsOf(text, 'format').filter(({ volume }) => devices.some((device) => device.id === volume));
      const mounts = actionsOf(text, 'mount').filter(({ device }) => formats.some((format) => format.id === device));
      expect(mounts.map(({ path }) => path)).toEqual(['/boot/efi']);
    },
  );
});

describe('the keyring of the images of Ubuntu', () => {
  it('holds the one key that signs them', async () => {
    const keyring = await readFile(join(distrosDir, 'keys', 'ubuntu-cdimage-keyring.gpg'));
    const keys = await readKeys({ binaryKeys: keyring });
    // Published by Ubuntu as that of its "CD Image Automatic Signing Key (2012)".
    expect(keys.map((key) => key.getFingerprint())).toEqual(['843938df228d22f7b3742bc0d94aa3f0efe21092']);
  });

  it('is named by every list of checksums', () => {
    const isos = distros.flatMap((distro) => (distro.family === 'ubuntu' ? Object.values(distro.iso) : []));
    expect(isos).toHaveLength(6);
    for (const { checksums, sha256 } of isos) {
      expect(checksums?.keyring ?? sha256).toMatch(/^keys\/ubuntu-cdimage-keyring\.gpg$|^[0-9a-f]{64}$/);
    }
  });
});

describe('the golden scripts of Ubuntu', () => {
  const scripts = distros.flatMap(({ id }) =>
    [
      'default/early.sh',
      'default/error.sh',
      'default/late.sh',
      'default/target.sh',
      'network/late.sh',
      'lvm/late.sh',
    ].map((name) => `${id}/${name}`),
  );

  it.each(scripts)('can be read by a shell: %s', async (name) => {
    const input = await readFile(new URL(name, golden));
    expect(() => execFileSync('/bin/sh', ['-n'], { input })).not.toThrow();
  });
});
