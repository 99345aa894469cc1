import { open, rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import type { LayerRecord } from '../layer/store.ts';
import type { MirrorStats } from '../media/mirror-stats.ts';
import type { Plan } from '../plan/plan.ts';
import type { Format } from '../recipe/schema.ts';

export interface BuiltFile {
  readonly format: Format;
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

const installedPackage = z.strictObject({ name: z.string(), version: z.string(), arch: z.string() });
export type InstalledPackage = z.output<typeof installedPackage>;
/** The facts that a seal layer keeps. */
export const sealFactsSchema = z.strictObject({ packages: z.array(installedPackage) });

/** A layer that the image stands on. */
export type UsedLayer = Pick<LayerRecord, 'key' | 'createdAt' | 'seconds'> & { readonly reused: boolean };

/** What is known of a finished build. */
export interface BuildFacts {
  readonly kvmimgVersion: string;
  readonly qemuVersion: string;
  readonly accel: { readonly kind: string; readonly reason: string };
  /** Wall seconds of the phases that this build ran; what it reused has its seconds in `layers`. */
  readonly seconds: Readonly<Record<string, number>>;
  /** Bytes and files that came over the network, and from kvmimg's cache. */
  readonly mirror: MirrorStats;
  /** Bytes of everything that this build fetched, boot media included. */
  readonly fetchedBytes: number;
  readonly layers: Readonly<Record<'install' | 'seal', UsedLayer>>;
  readonly packages: readonly InstalledPackage[];
}

/** `<name>.manifest.json`: each file's SHA-256 and size, the plan and its digest, versions, seconds, packages. */
export interface Manifest extends BuildFacts {
  readonly manifestVersion: 1;
  readonly name: string;
  readonly distro: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly files: readonly {
    readonly format: Format;
    readonly file: string;
    readonly sizeBytes: number;
    readonly sha256: string;
  }[];
  readonly planDigest: string;
  readonly plan: Plan;
}

export function makeManifest(plan: Plan, files: readonly BuiltFile[], facts: BuildFacts, createdAt: Date): Manifest {
  return {
    manifestVersion: 1,
    name: plan.name,
    distro: plan.distro.id,
    createdAt: createdAt.toISOString(),
    ...facts,
    files: files.map(({ format, path, sizeBytes, sha256 }) => ({ format, file: basename(path), sizeBytes, sha256 })),
    planDigest: plan.digest,
    plan,
  };
}

/** Writes a file whole or not at all, on its own file system. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const partial = `${path}.partial`;
  try {
    const handle = await open(partial, 'w');
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Reads `dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\n'`. */
export function parsePackageList(output: string): InstalledPackage[] {
  return output
    .split('\n')
    .map((line) => line.split('\t'))
    .flatMap(([name, version, arch]) => (name && version && arch ? [{ name, version, arch }] : []));
}
