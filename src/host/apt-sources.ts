import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The Debian mirrors in the host's own apt configuration, without a final slash. */
export interface HostMirrors {
  readonly main: string | undefined;
  readonly security: string | undefined;
}

/** One archive of an apt configuration: a URI with its suites. */
export interface AptSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly signedBy: string | undefined;
}

const debianSuites = ['stable', 'oldstable', 'testing', 'unstable', 'sid'];

/**
 * What a Debian host fetches its own packages from, which is likely near and allowed. Undefined on other hosts, and
 * where the configuration names no mirror that is usable.
 *
 * @param root folder to read `etc/` below, for tests.
 */
export async function findHostMirrors(root = '/'): Promise<HostMirrors | undefined> {
  const release = parseOsRelease(await readText(join(root, 'etc/os-release')));
  if (release.ID !== 'debian') return undefined;
  const sources = await readAptSources(join(root, 'etc/apt'));
  const codename = release.VERSION_CODENAME ?? '';
  const mirrors = { main: findMain(sources, codename), security: findSecurity(sources, codename) };
  return mirrors.main === undefined && mirrors.security === undefined ? undefined : mirrors;
}

/** Reads a file of the deb822 format (`*.sources`): stanzas of `Field: value`. */
export function parseDeb822Sources(text: string): AptSource[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .split(/\n\s*\n/)
    .flatMap((stanza) => {
      const fields = parseStanza(stanza);
      const types = words(fields.get('types'));
      if (!types.includes('deb') || fields.get('enabled') === 'no') return [];
      return words(fields.get('uris')).map((uri) => ({
        uri,
        suites: words(fields.get('suites')),
        components: words(fields.get('components')),
        signedBy: fields.get('signed-by'),
      }));
    });
}

/** Reads a file of the one-line format (`*.list`): `deb [options] URI SUITE COMPONENT...`. */
export function parseOneLineSources(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)/.exec(line);
    const [, options, uri, suite, components] = match ?? [];
    if (uri === undefined || suite === undefined) return [];
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(options ?? '')?.[1];
    return [{ uri, suites: [suite], components: words(components), signedBy }];
  });
}

/** `sources.list` first, then the files of `sources.list.d` in order, as apt reads them. */
async function readAptSources(dir: string): Promise<AptSource[]> {
  const listDir = join(dir, 'sources.list.d');
  const names = (await readdir(listDir).catch(() => [])).sort();
  const sources = parseOneLineSources(await readText(join(dir, 'sources.list')));
  for (const name of names) {
    const text = await readText(join(listDir, name));
    if (name.endsWith('.list')) sources.push(...parseOneLineSources(text));
    if (name.endsWith('.sources')) sources.push(...parseDeb822Sources(text));
  }
  return sources;
}

function findMain(sources: readonly AptSource[], codename: string): string | undefined {
  return findDebian(sources, [codename, ...debianSuites]);
}

function findSecurity(sources: readonly AptSource[], codename: string): string | undefined {
  return findDebian(
    sources,
    [codename, ...debianSuites].flatMap((suite) => [`${suite}-security`, `${suite}/updates`]),
  );
}

/**
 * Others use Debian's suite names too (`bookworm main` is many a vendor's), so a source signed by another key is not
 * taken, and one whose path speaks of Debian comes first.
 */
function findDebian(sources: readonly AptSource[], suites: readonly string[]): string | undefined {
  const candidates = sources.filter(
    (source) =>
      source.suites.some((suite) => suites.includes(suite)) &&
      source.components.includes('main') &&
      (source.signedBy === undefined || source.signedBy.includes('debian-archive')) &&
      isPlainHttp(source.uri),
  );
  const best = candidates.find((source) => new URL(source.uri).pathname.includes('debian')) ?? candidates[0];
  return best?.uri.replace(/\/+$/, '');
}

/** Not `cdrom:`, `file:` or `mirror+file:`, and with no password, which would end up in the plan. */
function isPlainHttp(uri: string): boolean {
  return URL.canParse(uri) && /^https?:$/.test(new URL(uri).protocol) && new URL(uri).username === '';
}

function parseOsRelease(text: string): Partial<Record<string, string>> {
  const entries = [...text.matchAll(/^([A-Z_]+)=(["']?)(.*)\2$/gm)];
  return Object.fromEntries(entries.map(([, name, , value]) => [name, value]));
}

/** Fields by lower-case name; lines that begin with a space go on with the field before. */
function parseStanza(stanza: string): Map<string, string> {
  const unfolded = stanza.replace(/\n[ \t]+/g, ' ');
  const matches = [...unfolded.matchAll(/^([A-Za-z-]+):[ \t]*(.*)$/gm)];
  return new Map(matches.map(([, name = '', value = '']) => [name.toLowerCase(), value.trim()]));
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
