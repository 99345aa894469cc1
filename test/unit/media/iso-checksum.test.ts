import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IsoMedia } from '../../../src/distro/schema.ts';
import { sha256Of } from '../../../src/media/digest.ts';
import type { FakeMirror } from './fake-mirror.ts';
import { fetchOnce, isoContent, makeIso } from './iso-fixture.ts';
import { failureOf, type MediaFixture, makeDeadUrl, makeMediaFixture } from './media-fixture.ts';
import { makeSigningKey } from './signing-fixture.ts';

type Signature = NonNullable<IsoMedia['checksums']>['signature'];

const sha256 = sha256Of(isoContent);
const ubuntuText = `${'e'.repeat(64)} *desktop.iso\n${sha256} *server.iso\n`;
const fedoraText = `# server.iso: ${isoContent.length} bytes\nSHA256 (server.iso) = ${sha256}\n`;
const [key, stranger] = [await makeSigningKey(), await makeSigningKey()];
const bytes = (text: string) => Buffer.from(text);

let fixture: MediaFixture;
let mirror: FakeMirror;
beforeEach(async () => {
  fixture = await makeMediaFixture();
  mirror = await fixture.startMirror({ 'r/server.iso': isoContent });
  await writeFile(join(fixture.dir, 'key.gpg'), key.publicKeyring);
});
afterEach(() => fixture.scope.close());

/** An ISO whose digest is in the mirror's SUMS. */
function isoWith(signature: Signature, urls = [`${mirror.url}/r/server.iso`]) {
  const signed = signature === 'none' ? {} : { keyring: 'key.gpg' };
  const beside = signature === 'beside' ? { signatureUrl: `${mirror.url}/r/SUMS.sig` } : {};
  return makeIso({ urls, checksums: { url: `${mirror.url}/r/SUMS`, signature, ...signed, ...beside } });
}

function serve(files: Record<string, string | Uint8Array>): void {
  for (const [path, content] of Object.entries(files)) mirror.files.set(path, { body: Buffer.from(content) });
}

const asked = () => mirror.requests.map(({ path }) => path);

describe('fetchIso of an ISO whose digest is in a file of checksums', () => {
  it.each<[string, Signature, () => Promise<Record<string, string | Uint8Array>>]>([
    ['without a signature', 'none', async () => ({ 'r/SUMS': ubuntuText })],
    ['clear-signed', 'inside', async () => ({ 'r/SUMS': await key.signClear(fedoraText) })],
    [
      'with a binary signature beside it',
      'beside',
      async () => ({ 'r/SUMS': ubuntuText, 'r/SUMS.sig': await key.signDetached(bytes(ubuntuText)) }),
    ],
    [
      'with an armoured signature beside it',
      'beside',
      async () => ({ 'r/SUMS': ubuntuText, 'r/SUMS.sig': await key.signArmoured(bytes(ubuntuText)) }),
    ],
  ])('believes one %s, and asks it once', async (_, signature, files) => {
    serve(await files());
    const fetched = await fetchOnce(fixture, isoWith(signature));
    expect(fetched.digest).toEqual({ algorithm: 'sha256', hex: sha256 });
    const { length } = mirror.requests;
    expect(await fetchOnce(fixture, isoWith(signature))).toEqual(fetched);
    expect(mirror.requests).toHaveLength(length);
  });

  it('finds the key among several armoured ones', async () => {
    const keyring = Buffer.concat([stranger.armouredKeyring, bytes('\n'), key.armouredKeyring]);
    await writeFile(join(fixture.dir, 'key.gpg'), keyring);
    serve({ 'r/SUMS': await key.signClear(fedoraText) });
    expect((await fetchOnce(fixture, isoWith('inside'))).digest.hex).toBe(sha256);
  });

  const forged = ubuntuText.replace(sha256, 'f'.repeat(64));
  it.each<[string, Signature, () => Promise<Record<string, string | Uint8Array>>, string]>([
    [
      'clear-signed and changed',
      'inside',
      async () => ({ 'r/SUMS': (await key.signClear(ubuntuText)).replace(sha256, 'f'.repeat(64)) }),
      'its signature is wrong',
    ],
    [
      'clear-signed by a stranger',
      'inside',
      async () => ({ 'r/SUMS': await stranger.signClear(ubuntuText) }),
      'the keyring knows none of them',
    ],
    ['not signed at all', 'inside', async () => ({ 'r/SUMS': ubuntuText }), 'it is not a clear-signed text'],
    [
      'changed, with the old signature beside it',
      'beside',
      async () => ({ 'r/SUMS': forged, 'r/SUMS.sig': await key.signDetached(bytes(ubuntuText)) }),
      'its signature is wrong',
    ],
    [
      'signed by a stranger beside it',
      'beside',
      async () => ({ 'r/SUMS': forged, 'r/SUMS.sig': await stranger.signArmoured(bytes(forged)) }),
      'the keyring knows none of them',
    ],
    [
      'with an error page for a signature',
      'beside',
      async () => ({ 'r/SUMS': ubuntuText, 'r/SUMS.sig': '<html>404</html>' }),
      'what should be its signature is none',
    ],
  ])('refuses one that is %s, before the ISO is fetched', async (_, signature, files, reason) => {
    serve(await files());
    const error = await failureOf(fetchOnce(fixture, isoWith(signature)));
    expect(error).toMatchObject({ code: 'bad-signature', message: expect.stringContaining(reason) });
    expect(error.message).toContain(`${mirror.url}/r/SUMS`);
    expect(asked()).not.toContain('r/server.iso');
  });

  it('believes nothing outside of what is signed', async () => {
    const signed = await key.signClear(`${'e'.repeat(64)} *desktop.iso\n`);
    serve({ 'r/SUMS': `${ubuntuText}\n${signed}` });
    const error = await failureOf(fetchOnce(fixture, isoWith('inside')));
    expect(error.message).toMatch(/only outside of what is signed|not a clear-signed text/);
    expect(asked()).not.toContain('r/server.iso');
  });

  it.each<[string, Signature, Record<string, string>, RegExp]>([
    ['it has no line for the ISO', 'none', { 'r/SUMS': 'nothing' }, /SUMS: has no SHA-256 or SHA-512 of server\.iso/],
    ['it contradicts itself', 'none', { 'r/SUMS': ubuntuText + forged }, /SUMS: has different digests of server\.iso/],
    ['it is not there', 'none', {}, /\/r\/SUMS: answers 404/],
    ['its signature is not there', 'beside', { 'r/SUMS': ubuntuText }, /\/r\/SUMS\.sig: answers 404/],
  ])('says so where %s', async (_, signature, files, reason) => {
    serve(files);
    const error = await failureOf(fetchOnce(fixture, isoWith(signature)));
    expect(error).toMatchObject({ code: 'checksum-missing', message: expect.stringMatching(reason) });
    expect(error.hint).toMatch(/SUMS.* beside server\.iso .*--media/);
  });

  it('looks beside the ISO of the archive where the release has moved', async () => {
    const archive = await fixture.startMirror({
      'old/server.iso': isoContent,
      'old/SUMS': ubuntuText,
      'old/SUMS.sig': await key.signDetached(bytes(ubuntuText)),
    });
    mirror.files.clear();
    const urls = [`${mirror.url}/r/server.iso`, `${archive.url}/old/server.iso`];
    expect((await fetchOnce(fixture, isoWith('beside', urls))).digest.hex).toBe(sha256);
  });

  it('says that the server cannot be reached', async () => {
    const checksums = { url: `${await makeDeadUrl()}/SUMS`, signature: 'none' as const };
    expect((await failureOf(fetchOnce(fixture, makeIso({ checksums })))).code).toBe('mirror-unreachable');
  });

  it.each([
    ['is not named', {}, /SUMS is signed/],
    ['is not there', { keyring: 'keys/none.gpg' }, /keys\/none\.gpg cannot be read/],
  ])('blames the facts where the keyring %s', async (_, facts, reason) => {
    serve({ 'r/SUMS': await key.signClear(fedoraText) });
    const checksums = { url: `${mirror.url}/r/SUMS`, signature: 'inside' as const, ...facts };
    const error = await failureOf(fetchOnce(fixture, makeIso({ checksums })));
    expect(error).toMatchObject({ code: 'distro-facts', message: expect.stringMatching(reason) });
  });
});

describe('a file of checksums in a folder of local media', () => {
  let mediaDir: string;
  beforeEach(async () => {
    mediaDir = join(fixture.dir, 'media');
    await mkdir(mediaDir);
    await writeFile(join(mediaDir, 'server.iso'), isoContent);
  });

  async function putSums(files: Record<string, string | Uint8Array>): Promise<void> {
    for (const [name, content] of Object.entries(files)) await writeFile(join(mediaDir, name), content);
  }

  it('makes a build without a network', async () => {
    await putSums({ SUMS: ubuntuText, 'SUMS.sig': await key.signDetached(bytes(ubuntuText)) });
    const fetched = await fetchOnce(fixture, isoWith('beside'), { mediaDirs: [mediaDir], offline: true });
    expect(fetched).toEqual({ path: join(mediaDir, 'server.iso'), digest: { algorithm: 'sha256', hex: sha256 } });
    expect(asked()).toEqual([]);
  });

  it('is not believed with a wrong signature', async () => {
    await putSums({ SUMS: ubuntuText, 'SUMS.sig': await stranger.signDetached(bytes(ubuntuText)) });
    const error = await failureOf(fetchOnce(fixture, isoWith('beside'), { mediaDirs: [mediaDir], offline: true }));
    expect(error).toMatchObject({ code: 'bad-signature', message: expect.stringContaining(join(mediaDir, 'SUMS')) });
  });

  it("of another distribution is passed over for the ISO's own", async () => {
    await putSums({ SUMS: await stranger.signClear(`${'e'.repeat(64)} *other.iso\n`) });
    serve({ 'r/SUMS': await key.signClear(fedoraText) });
    expect((await fetchOnce(fixture, isoWith('inside'), { mediaDirs: [mediaDir] })).path).toContain(mediaDir);
  });

  it('is asked for where the ISO alone is there and nothing may be fetched', async () => {
    const error = await failureOf(fetchOnce(fixture, isoWith('beside'), { mediaDirs: [mediaDir], offline: true }));
    expect(error).toMatchObject({ code: 'offline', hint: expect.stringContaining('Put SUMS and SUMS.sig beside') });
    expect(asked()).toEqual([]);
  });
});

describe('the lock of what a file of checksums said', () => {
  const changed = Buffer.alloc(isoContent.length, 'changed ');
  const lockPath = () => join(fixture.cacheDir, 'media-locks', 'tiny-1-amd64.json');

  /** The mirror replaces the ISO under its name. */
  function replaceIso(): void {
    serve({ 'r/server.iso': changed, 'r/SUMS': `${sha256Of(changed)} *server.iso\n` });
  }

  beforeEach(async () => {
    serve({ 'r/SUMS': ubuntuText });
    await fetchOnce(fixture, isoWith('none'));
  });

  it('says what was found, where and when', async () => {
    expect(JSON.parse(await readFile(lockPath(), 'utf8'))).toEqual({
      lockVersion: 1,
      files: {
        'server.iso': { sha256, foundIn: `${mirror.url}/r/SUMS`, foundAt: expect.stringMatching(/^\d{4}-.*Z$/) },
      },
    });
  });

  it('goes on working with the stored ISO when the mirror has another', async () => {
    replaceIso();
    expect((await fetchOnce(fixture, isoWith('none'))).digest.hex).toBe(sha256);
  });

  it('refuses another digest before the ISO is fetched, and names both and --refresh', async () => {
    replaceIso();
    await writeFile(join(fixture.cacheDir, 'media', sha256), 'damaged');
    const isoRequests = () => asked().filter((path) => path === 'r/server.iso').length;
    const before = isoRequests();
    const error = await failureOf(fetchOnce(fixture, isoWith('none')));
    expect(error).toMatchObject({ code: 'media-changed', hint: expect.stringContaining('--refresh') });
    for (const part of ['server.iso', sha256, sha256Of(changed)]) expect(error.message).toContain(part);
    expect(isoRequests()).toBe(before);
  });

  it('stands where the file of checksums is gone', async () => {
    mirror.files.delete('r/SUMS');
    await writeFile(join(fixture.cacheDir, 'media', sha256), 'damaged');
    expect((await fetchOnce(fixture, isoWith('none'))).digest.hex).toBe(sha256);
    serve({ 'r/server.iso': changed });
    await writeFile(join(fixture.cacheDir, 'media', sha256), 'damaged');
    const error = await failureOf(fetchOnce(fixture, isoWith('none')));
    expect(error).toMatchObject({ code: 'wrong-digest', hint: expect.stringContaining('--refresh') });
  });

  it('is made anew with --refresh', async () => {
    replaceIso();
    expect((await fetchOnce(fixture, isoWith('none'), { refresh: true })).digest.hex).toBe(sha256Of(changed));
    expect((await fetchOnce(fixture, isoWith('none'), { offline: true })).digest.hex).toBe(sha256Of(changed));
  });

  it('holds with --refresh --offline, which cannot ask', async () => {
    expect((await fetchOnce(fixture, isoWith('none'), { refresh: true, offline: true })).digest.hex).toBe(sha256);
  });

  it('gives way to a digest of the facts', async () => {
    replaceIso();
    const iso = { ...isoWith('none'), sha256: sha256Of(changed) };
    expect((await fetchOnce(fixture, iso)).digest.hex).toBe(sha256Of(changed));
  });

  it('names itself where it is damaged', async () => {
    await writeFile(lockPath(), '{"lockVersion":1,');
    const error = await failureOf(fetchOnce(fixture, isoWith('none')));
    expect(error).toMatchObject({ code: 'media-lock', message: expect.stringContaining(lockPath()) });
  });
});
