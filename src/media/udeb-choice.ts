import type { InstallerLock } from '../distro/schema.ts';
import type { Stanza } from './control-stanzas.ts';

type Udeb = InstallerLock['udebs'][number];

export interface UdebChoice {
  /** The stanzas of the mirror's udeb index. */
  readonly index: readonly Stanza[];
  /** The stanzas of `var/lib/dpkg/status` in the initrd: what needs no fetching. */
  readonly initrd: readonly Stanza[];
  readonly kernelVersion: string;
  /** Udebs wanted although d-i does not load them by itself. */
  readonly extra: readonly string[];
}

/** Priorities that d-i loads without being asked (anna_choose_by_default.c). */
const loadedPriorities: readonly string[] = ['required', 'important', 'standard'];

/** Fields of the index that d-i does not read, or that the lock holds in another place. */
const droppedFields: readonly string[] = [
  'Package',
  'Version',
  'Filename',
  'Size',
  'MD5sum',
  'SHA1',
  'SHA256',
  'SHA512',
  'Description-md5',
  'Maintainer',
  'Homepage',
  'Tag',
];

/**
 * The udebs that an install needs beyond the initrd: those that d-i loads by itself and that suit the kernel, the extra
 * ones, and what all these depend on. Sorted by name.
 */
export function chooseUdebs({ index, initrd, kernelVersion, extra }: UdebChoice): Udeb[] {
  const usable = index.filter((udeb) => (udeb.get('Kernel-Version') ?? kernelVersion) === kernelVersion);
  const byName = new Map(usable.map((udeb) => [nameOf(udeb), udeb]));
  const present = new Set(initrd.flatMap((udeb) => [nameOf(udeb), ...provided(udeb)]));
  const chosen = new Map<string, Stanza>();
  const add = (udeb: Stanza): void => {
    if (chosen.has(nameOf(udeb)) || present.has(nameOf(udeb))) return;
    chosen.set(nameOf(udeb), udeb);
    for (const alternatives of dependencies(udeb)) {
      if (!alternatives.some((name) => present.has(name))) findFirst(alternatives, usable, byName).forEach(add);
    }
  };
  usable.filter((udeb) => loadedPriorities.includes(udeb.get('Priority') ?? '')).forEach(add);
  extra.flatMap((name) => byName.get(name) ?? []).forEach(add);
  return [...chosen.values()].map(makeUdeb).sort((one, other) => (one.package < other.package ? -1 : 1));
}

/** The kernel versions that an index has modules for. */
export function kernelVersionsOf(index: readonly Stanza[]): string[] {
  return [...new Set(index.flatMap((udeb) => udeb.get('Kernel-Version') ?? []))].sort();
}

/** The first alternative that exists, by its own name or by everything that provides it. */
function findFirst(
  alternatives: readonly string[],
  usable: readonly Stanza[],
  byName: ReadonlyMap<string, Stanza>,
): readonly Stanza[] {
  for (const name of alternatives) {
    const named = byName.get(name);
    const found = named ? [named] : preferLoaded(usable.filter((udeb) => provided(udeb).includes(name)));
    if (found.length > 0) return found;
  }
  return [];
}

/** Of several that provide one thing: those that d-i loads anyway, else the first. */
function preferLoaded(providers: readonly Stanza[]): readonly Stanza[] {
  const loaded = providers.filter((udeb) => loadedPriorities.includes(udeb.get('Priority') ?? ''));
  return loaded.length > 0 ? loaded : providers.slice(0, 1);
}

function dependencies(udeb: Stanza): string[][] {
  return splitList(udeb.get('Depends'), ',').map((dependency) => splitList(dependency, '|').map(bareName));
}

function provided(udeb: Stanza): string[] {
  return splitList(udeb.get('Provides'), ',').map(bareName);
}

function splitList(text: string | undefined, separator: string): string[] {
  return (text ?? '')
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function bareName(relation: string): string {
  return relation.split(/[\s(:]/)[0] ?? '';
}

function nameOf(udeb: Stanza): string {
  return udeb.get('Package') ?? '';
}

export function makeUdeb(udeb: Stanza): Udeb {
  return {
    package: nameOf(udeb),
    version: udeb.get('Version') ?? '',
    file: {
      path: udeb.get('Filename') ?? '',
      sizeBytes: Number(udeb.get('Size')),
      sha256: udeb.get('SHA256') ?? '',
    },
    fields: Object.fromEntries([...udeb].filter(([name]) => !droppedFields.includes(name))),
  };
}
