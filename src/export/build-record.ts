import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { ovf } from '../recipe/ovf-settings.ts';
import type { KnownFacts } from './machine-facts.ts';

/** What is read of a `<name>.manifest.json`; a build writes more. */
const recordSchema = z.object({
  name: z.string(),
  distro: z.string(),
  kvmimgVersion: z.string(),
  createdAt: z.string(),
  files: z.array(z.object({ file: z.string(), sizeBytes: z.number(), sha256: z.string() })),
  packages: z.array(z.object({ name: z.string(), version: z.string() })),
  plan: z.object({
    recipe: z.object({
      name: z.string(),
      arch: z.string(),
      cpus: z.number(),
      memory: z.number(),
      firmware: z.enum(['bios', 'uefi']),
      // Builds before this setting have none.
      ovf: z.object(ovf.shape).prefault({}),
    }),
    distro: z.object({
      id: z.string(),
      title: z.string(),
      release: z.string(),
      ovf: z.object({ id: z.number(), osType: z.string(), hardwareVersion: z.number() }),
    }),
  }),
});
export type BuildRecord = z.output<typeof recordSchema>;

/** `debian-13` of `out/debian-13.qcow2`. */
export function imageStem(path: string): string {
  return basename(path).replace(/\.(qcow2|raw|img|vmdk|ova)$/i, '');
}

/** The manifest of the build that made the image, if it lies beside it and names the image's file. */
export async function findBuildRecord(imagePath: string): Promise<BuildRecord | undefined> {
  const path = join(dirname(imagePath), `${imageStem(imagePath)}.manifest.json`);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = recordSchema.safeParse(parseJson(text));
  const isAboutImage = parsed.data?.files.some((entry) => entry.file === basename(imagePath));
  return isAboutImage ? parsed.data : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a descriptor tells of a build. */
export type BuildKnowledge = Pick<BuildRecord, 'kvmimgVersion' | 'packages' | 'plan'>;

/** The facts that an OVF descriptor needs, as the build knew them. */
export function machineFactsOfBuild(build: BuildKnowledge): KnownFacts {
  const { recipe, distro } = build.plan;
  return {
    osId: distro.ovf.id,
    osType: recipe.ovf.osType ?? distro.ovf.osType,
    hardwareVersion: recipe.ovf.hardwareVersion ?? distro.ovf.hardwareVersion,
    controller: recipe.ovf.controller,
    diskEnableUuid: recipe.ovf.diskEnableUuid,
    cpus: recipe.cpus,
    memoryBytes: recipe.memory,
    firmware: recipe.firmware === 'uefi' ? 'efi' : 'bios',
    title: distro.title,
    productVersion: distro.release,
    properties: makeProperties(build),
  };
}

/** Named as image-builder names them, where it has such. No time: the same disk gives the same OVA. */
function makeProperties({ kvmimgVersion, packages, plan }: BuildKnowledge): Readonly<Record<string, string>> {
  const kernel = findKernelVersion(packages);
  return {
    IMAGE_NAME: plan.recipe.name,
    KVMIMG_VERSION: kvmimgVersion,
    DISTRO_ID: plan.distro.id,
    DISTRO_VERSION: plan.distro.release,
    DISTRO_ARCH: plan.recipe.arch,
    ...(kernel === undefined ? {} : { KERNEL_VERSION: kernel }),
  };
}

/** Packages that hold a kernel, of Debian and Ubuntu, the Red Hat family, and Photon; those that only name one are others. */
const kernelPackage = /^(linux-image-\d.*|kernel(-uek)?-core|linux(-esx|-rt|-secure)?)$/;

/** Of several kernels the newest, which boots. */
function findKernelVersion(packages: BuildKnowledge['packages']): string | undefined {
  return packages
    .filter(({ name }) => kernelPackage.test(name))
    .map(({ version }) => version)
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1);
}
