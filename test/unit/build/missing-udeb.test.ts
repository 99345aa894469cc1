import { describe, expect, it } from 'vitest';
import { findMissingUdeb } from '../../../src/build/installers/missing-udeb.ts';

const mirror = 'http://mirror.example/debian';

describe('a file that the mirror does not have', () => {
  it('ends the install when it is a component of the installer, named with URL, status and cure', () => {
    const url = `${mirror}/pool/main/a/apt-setup/apt-setup-udeb_0.198_arm64.udeb`;
    const failure = findMissingUdeb({ url, status: 404 });
    expect(failure).toMatchObject({ code: 'udeb-missing', hint: expect.stringContaining('--mirror') });
    expect(failure?.message).toContain('its component apt-setup-udeb_0.198_arm64.udeb,');
    expect(failure?.message).toContain(`${url} answers 404`);
  });

  it.each([
    ['a translation, which few suites have', 'dists/trixie/main/i18n/Translation-en.xz'],
    ['another compression of an index', 'dists/trixie/main/binary-arm64/Packages.xz'],
    ['a package, for which apt has further sources', 'pool/main/b/bash/bash_5.2_arm64.deb'],
    ['a udeb outside of the pool', 'dists/trixie/x.udeb'],
  ])('is harmless when it is %s', (_title, path) => {
    expect(findMissingUdeb({ url: `${mirror}/${path}`, status: 404 })).toBeUndefined();
  });
});
