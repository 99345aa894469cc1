import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { KvmimgError } from '../errors.ts';
import type { Arch } from '../recipe/schema.ts';
import type { UefiFirmware } from './machine-spec.ts';

/** The parts of a firmware descriptor that we use (QEMU's docs/interop/firmware.json). */
const descriptorSchema = z.object({
  'interface-types': z.array(z.string()),
  mapping: z.object({
    device: z.literal('flash'),
    /** Added by QEMU 7.0; a stateless firmware keeps no variables, a combined one keeps them with its code. */
    mode: z.literal('split').default('split'),
    executable: z.object({ filename: z.string(), format: z.enum(['raw', 'qcow2']) }),
    'nvram-template': z.object({ filename: z.string(), format: z.enum(['raw', 'qcow2']) }),
  }),
  targets: z.array(z.object({ architecture: z.string(), machines: z.array(z.string()) })),
  features: z.array(z.string()),
});
type Descriptor = z.output<typeof descriptorSchema>;

export interface FirmwareSearch {
  /** Folders of descriptors, least important first. */
  readonly dirs?: readonly string[];
}

const machineTypes = {
  amd64: { architecture: 'x86_64', machine: /^(pc-)?q35\b/ },
  arm64: { architecture: 'aarch64', machine: /^virt\b/ },
} as const;

/**
 * The first UEFI firmware of the host that suits the architecture, by the firmware descriptors that distributions
 * install with it.
 *
 * @throws KvmimgError `firmware-missing`.
 */
export async function findFirmware(arch: Arch, search: FirmwareSearch = {}): Promise<UefiFirmware> {
  const dirs = search.dirs ?? defaultFirmwareDirs(process.env);
  for (const path of await listDescriptors(dirs)) {
    const descriptor = await readDescriptor(path);
    if (descriptor && suits(descriptor, arch)) return makeFirmware(descriptor);
  }
  throw new KvmimgError({
    code: 'firmware-missing',
    message: `No UEFI firmware for ${arch} machines is installed: no descriptor in ${dirs.join(', ')} fits.`,
    hint: `${installHints[arch]}, or run \`kvmimg doctor --fix --arch ${arch}\`${wayOut[arch]}.`,
  });
}

const installHints: Readonly<Record<Arch, string>> = {
  amd64: 'Install OVMF (`ovmf` on Debian and Ubuntu, `edk2-ovmf` on Fedora, RHEL and Arch)',
  arm64: 'Install AAVMF (`qemu-efi-aarch64` on Debian and Ubuntu, `edk2-aarch64` on Fedora, RHEL and Arch)',
};

/** Only a PC does without. */
const wayOut: Readonly<Record<Arch, string>> = { amd64: '; or build with `--firmware bios`', arm64: '' };

/** Where descriptors are, least important first; Homebrew's QEMU brings its own. */
export function defaultFirmwareDirs(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return [
    '/opt/homebrew/share/qemu/firmware',
    '/usr/local/share/qemu/firmware',
    '/usr/share/qemu/firmware',
    '/etc/qemu/firmware',
    join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'qemu/firmware'),
  ];
}

/**
 * The descriptors in the order in which they are tried: by name. One in a more important folder replaces its namesakes
 * (an empty one hides them, since it is no descriptor).
 */
async function listDescriptors(dirs: readonly string[]): Promise<readonly string[]> {
  const pathByName = new Map<string, string>();
  for (const dir of dirs) {
    const names = await readdir(dir).catch(() => []);
    for (const name of names) if (name.endsWith('.json')) pathByName.set(name, join(dir, name));
  }
  return [...pathByName.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

async function readDescriptor(path: string): Promise<Descriptor | undefined> {
  try {
    return descriptorSchema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

function suits(descriptor: Descriptor, arch: Arch): boolean {
  const { architecture, machine } = machineTypes[arch];
  return (
    descriptor['interface-types'].includes('uefi') &&
    descriptor.targets.some((target) => target.architecture === architecture && target.machines.some(isOurs)) &&
    // Secure Boot would keep an image from booting whose kernel nobody has signed.
    !['secure-boot', 'enrolled-keys'].some((feature) => descriptor.features.includes(feature))
  );
  function isOurs(pattern: string): boolean {
    return machine.test(pattern);
  }
}

function makeFirmware({ mapping, features }: Descriptor): UefiFirmware {
  return {
    kind: 'uefi',
    codePath: mapping.executable.filename,
    codeFormat: mapping.executable.format,
    varsTemplatePath: mapping['nvram-template'].filename,
    varsFormat: mapping['nvram-template'].format,
    needsSmm: features.includes('requires-smm'),
  };
}
