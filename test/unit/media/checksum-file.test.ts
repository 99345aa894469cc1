import { describe, expect, it } from 'vitest';
import { findChecksum, parseChecksums } from '../../../src/media/checksum-file.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);
const long = 'c'.repeat(128);

describe('parseChecksums', () => {
  it.each([
    ['binary mode of sha256sum (Ubuntu)', `${a} *server.iso`, { sha256: a }],
    ['text mode of sha256sum (Debian)', `${a}  server.iso`, { sha256: a }],
    ['a path that begins with ./', `${a}  ./server.iso`, { sha256: a }],
    ['BSD', `SHA256 (server.iso) = ${a}`, { sha256: a }],
    [
      'BSD with a length before it (Fedora)',
      `# server.iso: 1234 bytes\nSHA256 (server.iso) = ${a}`,
      { sha256: a, sizeBytes: 1234 },
    ],
    ['upper-case digits', `${a.toUpperCase()} *server.iso`, { sha256: a }],
    ['lines that end with CR and LF', `${b} *other.iso\r\n${a} *server.iso\r\n`, { sha256: a }],
    ['SHA-512', `${long}  server.iso`, { sha512: long }],
    ['BSD with SHA-512', `SHA512 (server.iso) = ${long}`, { sha512: long }],
    [
      'several algorithms',
      `MD5 (server.iso) = 0123\nSHA512 (server.iso) = ${long}\nSHA256 (server.iso) = ${a}`,
      { sha256: a },
    ],
    ['the same line twice', `${a} *server.iso\n${a}  server.iso`, { sha256: a }],
  ])('reads %s', (_, text, content) => {
    expect(findChecksum(text, 'server.iso')).toEqual(content);
  });

  it.each([
    ['another name', `${a} *myserver.iso\n${a} *server.iso.torrent`],
    ['only a weak digest', `MD5 (server.iso) = ${a.slice(32)}\n${a.slice(24)}  server.iso`],
    ['a digest of the wrong length', `SHA256 (server.iso) = ${a.slice(1)}`],
    ['a comment', `# ${a}  server.iso`],
    ['an error page', '<html><body>404 Not Found</body></html>'],
    ['nothing', ''],
  ])('finds nothing in %s', (_, text) => {
    expect(findChecksum(text, 'server.iso')).toBeUndefined();
  });

  it('does not choose between two digests of one name', () => {
    expect(findChecksum(`${a} *server.iso\n${b} *server.iso`, 'server.iso')).toBe('contradiction');
  });

  it('gives every entry', () => {
    const entries = parseChecksums(`${a} *one.iso\n\nSHA256 (two words.iso) = ${b}\n`);
    expect(entries.map(({ name }) => name)).toEqual(['one.iso', 'two words.iso']);
  });
});
