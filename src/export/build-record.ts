import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import type { MachineFacts } from './machine-facts.ts';

/** What is read of a `<name>.manifest.json`; a build writes more. */
const recordSchema = z.object({
  name: z.string(),
  distro: z.string(),
  kvmimgVersion: z.string(),
  createdAt: z.string(),
  files: z.array(z.object({ file: z.string(), sizeBytes: z.number(), sha256: z.string() })),
  packages: z.array(z.object({ name: z.string(), version: z.string() })),
  plan: z.object({
    recipe: z.object({ cpus: z.number(), memory: z.number(), firmware: z.enum(['bios', 'uefi']) }),
    distro: z.object({
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

/** The facts that an OVF descriptor needs, as the build knew them. */
export function machineFactsOfBuild({ plan }: Pick<BuildRecord, 'plan'>): Partial<MachineFacts> {
  const { recipe, distro } = plan;
  return {
    osId: distro.ovf.id,
    osType: distro.ovf.osType,
    hardwareVersion: distro.ovf.hardwareVersion,
    cpus: recipe.cpus,
    memoryBytes: recipe.memory,
    firmware: recipe.firmware === 'uefi' ? 'efi' : 'bios',
    title: distro.title,
    productVersion: distro.release,
  };
}
