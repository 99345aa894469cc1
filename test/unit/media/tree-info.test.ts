import { describe, expect, it } from 'vitest';
import { KvmimgError } from '../../../src/errors.ts';
import { parseTreeInfo } from '../../../src/media/tree-info.ts';
import { makeTreeInfo } from './tree-fixture.ts';

const [k, i, s] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string];
const modern = makeTreeInfo({ kernel: k, initrd: i, stage2: s });
const old = `[general]
family = CentOS
timestamp = 1400000000.25
arch = x86_64
version = 6.10
packagedir =

[stage2]
mainimage = images/install.img

[images-x86_64]
kernel = images/pxeboot/vmlinuz
initrd = images/pxeboot/initrd.img

[checksums]
images/install.img = sha256:${s}
images/pxeboot/initrd.img = sha256:${i}
images/pxeboot/vmlinuz = sha256:${k}
`;
const wanted = { place: 'http://mirror/9/os/.treeinfo', arch: 'x86_64' };
const files = {
  kernel: { path: 'images/pxeboot/vmlinuz', sha256: k },
  initrd: { path: 'images/pxeboot/initrd.img', sha256: i },
  stage2: { path: 'images/install.img', sha256: s },
};

describe('parseTreeInfo', () => {
  it.each([
    ["productmd's form", modern, { title: 'Rocky Linux 9.6', version: '9.6' }],
    ['the older form without a header', old, { title: 'CentOS 6.10', version: '6.10' }],
    ['no spaces around =', modern.replaceAll(' = ', '='), { version: '9.6' }],
    ['lines that end with CR and LF', modern.replaceAll('\n', '\r\n'), { version: '9.6' }],
    ['format 1.0', modern.replace('version = 1.2', 'version = 1.0'), { version: '9.6' }],
    ['sections in another order', modern.split('\n\n').reverse().join('\n\n'), { version: '9.6' }],
  ])('reads %s', (_, text, facts) => {
    expect(parseTreeInfo(text, wanted)).toEqual({ title: expect.any(String), arch: 'x86_64', ...files, ...facts });
  });

  it('reads a tree without a second stage', () => {
    const text = modern.replace(/\[stage2\]\n.*\n/, '');
    expect(parseTreeInfo(text, wanted).stage2).toBeUndefined();
  });

  it('reads a SHA-512', () => {
    const long = 'f'.repeat(128);
    expect(parseTreeInfo(modern.replace(`sha256:${k}`, `sha512:${long}`), wanted).kernel).toMatchObject({
      sha512: long,
    });
  });

  it.each([
    ['no kernel', modern.replace(/^kernel = .*$/gm, ''), 'it does not name the kernel in [images-x86_64]'],
    ['no initrd', modern.replace(/^initrd = .*$/gm, ''), 'it does not name the initrd in [images-x86_64]'],
    [
      'no digest of the kernel',
      modern.replace(/^images\/pxeboot\/vmlinuz.*$/m, ''),
      'no line for images/pxeboot/vmlinuz',
    ],
    [
      'a weak digest',
      modern.replace(`sha256:${k}`, `md5:${'1'.repeat(32)}`),
      'no SHA-256 of images/pxeboot/vmlinuz, but md5:1',
    ],
    ['a digest that is cut off', modern.replace(k, k.slice(1)), 'no SHA-256 of images/pxeboot/vmlinuz'],
    ['another architecture', modern.replaceAll('x86_64', 'aarch64'), 'the tree is for aarch64, not x86_64'],
    ['no images', modern.replace('[images-x86_64]', '[images-xen]'), 'it has no section [images-x86_64]'],
    ['a newer format', modern.replace('version = 1.2', 'version = 2.0'), 'its format has version 2.0'],
    [
      'another file of productmd',
      modern.replace('productmd.treeinfo', 'productmd.images'),
      'its type is productmd.images',
    ],
    ['a path out of the tree', modern.replaceAll('images/pxeboot/vmlinuz', '../../vmlinuz'), 'no path below the tree'],
    ['an absolute path', modern.replaceAll('images/pxeboot/vmlinuz', '/etc/passwd'), 'no path below the tree'],
    ['an error page', '<html>404</html>', 'it has no [section]'],
  ])('refuses %s', (_, text, reason) => {
    const parse = () => parseTreeInfo(text, wanted);
    expect(parse).toThrow(KvmimgError);
    expect(parse).toThrow(reason);
    expect(parse).toThrow(wanted.place);
  });

  it('tells everything that is missing at once', () => {
    const text = modern.replace(/^(kernel|initrd) = .*$/gm, '');
    expect(() => parseTreeInfo(text, wanted)).toThrow(/the kernel.*; it does not name the initrd/);
  });
});
