import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findHostMirrors, parseDeb822Sources, parseOneLineSources } from '../../../src/host/apt-sources.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kvmimg-root-'));
});
afterEach(() => rm(root, { recursive: true }));

const debian = { 'etc/os-release': 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_CODENAME="bookworm"\n' };

async function host(files: Record<string, string>) {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return findHostMirrors(root);
}

describe('findHostMirrors', () => {
  it('reads deb822 files, and passes over the sources of others', async () => {
    const mirrors = await host({
      ...debian,
      'etc/apt/sources.list.d/a-vendor.sources':
        'Types: deb\nURIs: https://vendor.example.org/linux/debian\nSuites: bookworm\nComponents: main\nSigned-By: /usr/share/keyrings/vendor.gpg\n',
      'etc/apt/sources.list.d/debian.sources': [
        '# made by an installer',
        'Types: deb deb-src',
        'URIs: http://mirror.example.org/debian/',
        'Suites: bookworm bookworm-updates',
        'Components: main',
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
        '',
        'Types: deb',
        'URIs:',
        ' http://mirror.example.org/debian-security',
        'Suites: bookworm-security',
        'Components: main',
      ].join('\n'),
    });
    expect(mirrors).toEqual({
      main: 'http://mirror.example.org/debian',
      security: 'http://mirror.example.org/debian-security',
    });
  });

  it('reads one-line files, sources.list first', async () => {
    const mirrors = await host({
      ...debian,
      'etc/apt/sources.list': [
        '# deb http://commented.example.org/debian bookworm main',
        'deb cdrom:[Debian 12]/ bookworm main',
        'deb [arch=amd64] http://one.example.org/debian bookworm main contrib # mine',
        'deb-src http://source.example.org/debian bookworm main',
        'deb http://one.example.org/security bookworm-security main',
      ].join('\n'),
      'etc/apt/sources.list.d/two.list': 'deb http://two.example.org/debian bookworm main\n',
    });
    expect(mirrors).toEqual({ main: 'http://one.example.org/debian', security: 'http://one.example.org/security' });
  });

  it('prefers a path that speaks of Debian among unsigned ones', async () => {
    const mirrors = await host({
      ...debian,
      'etc/apt/sources.list':
        'deb http://vendor.example.org/apt bookworm main\ndeb http://b.example.org/debian stable main\n',
    });
    expect(mirrors?.main).toBe('http://b.example.org/debian');
  });

  it.each([
    [
      'no Debian',
      {
        'etc/os-release': 'ID=ubuntu\nVERSION_CODENAME=noble\n',
        'etc/apt/sources.list': 'deb http://a.example.org/debian stable main',
      },
    ],
    ['without os-release', {}],
    ['without sources', debian],
    [
      'with a password in the URI',
      { ...debian, 'etc/apt/sources.list': 'deb http://me:secret@a.example.org/debian bookworm main' },
    ],
    ['with other schemes', { ...debian, 'etc/apt/sources.list': 'deb mirror+file:/etc/apt/mirrors.txt bookworm main' }],
    [
      'with a disabled source',
      {
        ...debian,
        'etc/apt/sources.list.d/a.sources':
          'Types: deb\nEnabled: no\nURIs: http://a.example.org/debian\nSuites: bookworm\nComponents: main\n',
      },
    ],
  ])('finds none on a host %s', async (_, files) => {
    expect(await host(files)).toBeUndefined();
  });
});

describe('parsers', () => {
  it('keep every URI of a stanza', () => {
    expect(
      parseDeb822Sources('Types: deb\nURIs: http://a http://b\nSuites: x y\nComponents: main').map((s) => s.uri),
    ).toEqual(['http://a', 'http://b']);
  });

  it('read the options of a line', () => {
    expect(parseOneLineSources('deb [ arch=amd64 signed-by=/k.gpg ] http://a bookworm main')).toEqual([
      { uri: 'http://a', suites: ['bookworm'], components: ['main'], signedBy: '/k.gpg' },
    ]);
  });
});
