import { open, rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import type { LayerRecord } from '../layer/store.ts';
import type { DigestedFile } from '../media/digest.ts';
import type { MirrorStats } from '../media/mirror-stats.ts';
import type { DeliveredEntry } from '../plan/delivered.ts';
import type { Plan } from '../plan/plan.ts';

/** A file of this build, written now or by an earlier one. */
export interface BuiltFile extends Omit<DeliveredEntry, 'file'> {
  readonly path: string;
}

const installedPackage = z.strictObject({ name: z.string(), version: z.string(), arch: z.string() });
export type InstalledPackage = z.output<typeof installedPackage>;
/** The facts that a seal layer keeps. */
export const sealFactsSchema = z.strictObject({ packages: z.array(installedPackage) });

const mediaFile = z.union([
  z.strictObject({ file: z.string(), sha256: z.string() }),
  z.strictObject({ file: z.string(), sha512: z.string() }),
]);
/** The facts that an install layer keeps. */
export const installFactsSchema = z.object({ media: z.array(mediaFile).default([]) });

/** A layer that the image stands on. */
export type UsedLayer = Pick<LayerRecord, 'title' | 'key' | 'id' | 'createdAt' | 'seconds'> & {
  readonly reused: boolean;
};

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
  /** Guests that this build has started. */
  readonly boots: number;
  readonly layers: readonly UsedLayer[];
  /** What the installer was started from; nothing where the image stands on one of the user's. Packages are in `packages`. */
  readonly media: readonly DigestedFile[];
  readonly packages: readonly InstalledPackage[];
}

/** `<name>.manifest.json`: each file's SHA-256 and size, the plan and its digest, versions, seconds, packages. */
export interface Manifest extends BuildFacts {
  readonly manifestVersion: 1;
  readonly name: string;
  readonly distro: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly files: readonly DeliveredEntry[];
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
    files: files.map(({ path, ...file }) => ({ file: basename(path), ...file })),
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

/** Reads what a package manager's `list` prints: a line each with name, version and architecture between tabs. */
export function parsePackageList(output: string): InstalledPackage[] {
  return output
    .split('\n')
    .map((line) => line.split('\t'))
    .flatMap(([name, version, arch]) => (name && version && arch ? [{ name, version, arch }] : []));
}
