import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeIsoRoute } from '../../../src/build/iso-route.ts';
import { Scope } from '../../../src/lifecycle/scope.ts';
import { startSeedServer } from '../../../src/seed-server/seed-server.ts';
import { file, folder, makeIsoImage } from '../media/iso/iso-writer.ts';

let scope: Scope;
let isoPath: string;
let opened: number;
beforeEach(async () => {
  scope = new Scope();
  opened = 0;
  const dir = await mkdtemp(join(tmpdir(), 'kvmimg-iso-route-'));
  scope.defer('remove the scratch folder', () => rm(dir, { recursive: true, force: true }));
  isoPath = join(dir, 'disc.iso');
  const tree = { BaseOS: folder({ repodata: folder({ 'repomd.xml': file('<repomd/>\n') }), empty: file('') }) };
  await writeFile(isoPath, makeIsoImage(tree, 'rock-ridge').bytes);
});
afterEach(() => scope.close());

async function ask(path: string, headers: Readonly<Record<string, string>> = {}) {
  const findIsoPath = async (): Promise<string> => {
    opened += 1;
    return isoPath;
  };
  const server = await startSeedServer({ scope, routes: [makeIsoRoute(findIsoPath, scope)] });
  await fetch(server.localUrl(path));
  const response = await fetch(server.localUrl(path), { headers });
  return { status: response.status, text: await response.text() };
}

describe('the files of an ISO over HTTP', () => {
  it.each([
    ['a file', 'iso/BaseOS/repodata/repomd.xml', {}, { status: 200, text: '<repomd/>\n' }],
    ['a part of it', 'iso/BaseOS/repodata/repomd.xml', { range: 'bytes=1-6' }, { status: 206, text: 'repomd' }],
    ['an empty file', 'iso/BaseOS/empty', {}, { status: 200, text: '' }],
    ['a folder', 'iso/BaseOS', {}, { status: 404, text: '' }],
    ['nothing', 'iso/AppStream/x', {}, { status: 404, text: '' }],
  ])('are served or not: %s', async (_, path, headers, answer) => {
    expect(await ask(path, headers)).toEqual(answer);
    expect(opened).toBe(1);
  });
});
