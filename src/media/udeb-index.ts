import { gzipSync } from 'node:zlib';
import type { InstallerLock } from '../distro/schema.ts';
import { udebSuite } from '../plan/plan.ts';
import type { BuildKey } from './build-key.ts';
import { formatStanza } from './control-stanzas.ts';
import { sha256Of } from './digest.ts';

export interface UdebIndexOptions {
  /** Names of udebs to leave out; what depends on them loses the dependency, and d-i's time is saved. */
  readonly skip: readonly string[];
  readonly buildKey: BuildKey;
}

/**
 * The files below the mirror that make d-i load exactly the lock's udebs: it asks for `Release`, `Release.gpg` and then
 * `Packages.gz` (net-retriever 1.61), and wants Components and the SHA256 list in `Release`.
 */
export async function makeUdebIndex(
  lock: InstallerLock,
  { skip, buildKey }: UdebIndexOptions,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const packages = Buffer.from(makePackages(lock, new Set(skip)));
  const indexPath = `main/debian-installer/binary-${lock.arch}/Packages`;
  const indices: [string, Uint8Array][] = [
    [indexPath, packages],
    [`${indexPath}.gz`, gzipSync(packages, { level: 9 })],
  ];
  const release = makeRelease(lock, indices);
  const files: [string, Uint8Array][] = [
    ['Release', Buffer.from(release)],
    ['Release.gpg', await buildKey.signDetached(Buffer.from(release))],
    ['InRelease', Buffer.from(await buildKey.signClear(release))],
    ...indices,
  ];
  return new Map(files.map(([path, content]) => [`dists/${udebSuite}/${path}`, content]));
}

function makePackages(lock: InstallerLock, skip: ReadonlySet<string>): string {
  return lock.udebs
    .filter((udeb) => !skip.has(udeb.package))
    .map((udeb) =>
      formatStanza([
        ['Package', udeb.package],
        ['Version', udeb.version],
        ...Object.entries(udeb.fields)
          .map(([name, value]) => [name, withoutSkipped(name, value, skip)] as const)
          .filter(([, value]) => value !== ''),
        ['Filename', udeb.file.path],
        ['Size', String(udeb.file.sizeBytes)],
        ['SHA256', udeb.file.sha256],
      ]),
    )
    .join('\n');
}

function withoutSkipped(field: string, value: string, skip: ReadonlySet<string>): string {
  if (field !== 'Depends') return value;
  const kept = value.split(',').filter((dependency) => !skip.has(dependency.trim().split(/[\s(:]/)[0] ?? ''));
  return kept.map((dependency) => dependency.trim()).join(', ');
}

function makeRelease(lock: InstallerLock, indices: readonly (readonly [string, Uint8Array])[]): string {
  const list = indices.map(([path, content]) => ` ${sha256Of(content)} ${content.length} ${path}`);
  return formatStanza([
    ['Origin', 'kvmimg'],
    ['Label', 'kvmimg'],
    ['Suite', udebSuite],
    ['Codename', udebSuite],
    ['Version', lock.release],
    ['Date', new Date().toUTCString().replace('GMT', 'UTC')],
    ['Architectures', lock.arch],
    ['Components', 'main'],
    ['Description', `Installer of ${lock.distro} ${lock.release}, pinned`],
    ['SHA256', `\n${list.join('\n')}`],
  ]);
}
