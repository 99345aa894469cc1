import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type RunResult, run } from '../../src/process/run.ts';

const repository = join(import.meta.dirname, '../..');
const content = 'not an ISO, but fetched as one\n';
const sha256 = createHash('sha256').update(content).digest('hex');
const fileName = 'ubuntu-24.04.4-live-server-amd64.iso';

let root: string;
let server: Server;
let url: string;
let asked: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'kvmimg-wrong-media-'));
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const there = request.url?.startsWith('/there/');
    response.writeHead(there ? 200 : 404).end(there && request.method === 'GET' ? content : undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(root, { recursive: true, force: true });
});

/** Builds Ubuntu with an ISO of these facts; the fake QEMU, if it came to that, would install. */
async function build(iso: Readonly<Record<string, unknown>>, ...flags: readonly string[]): Promise<RunResult> {
  const distros = join(root, 'distros');
  await cp(join(repository, 'distros'), distros, { recursive: true });
  const facts = parse(await readFile(join(distros, 'ubuntu-2404.yaml'), 'utf8'));
  const { checksums: _, ...known } = facts.iso.amd64;
  const changed = { ...facts, arches: ['amd64'], iso: { amd64: { ...known, ...iso } } };
  await writeFile(join(distros, 'ubuntu-2404.yaml'), stringify(changed));
  const args = ['build', 'ubuntu-2404', '--accel', 'tcg', '--log-format', 'plain', '-o', join(root, 'out'), ...flags];
  const env = {
    PATH: `${join(repository, 'fixtures/bin')}:${process.env.PATH}`,
    FAKE_QEMU_SCENARIO: 'installs',
    FAKE_QEMU_LOG: join(root, 'qemu.log'),
    KVMIMG_CACHE_DIR: join(root, 'cache'),
    KVMIMG_DISTROS_DIR: distros,
  };
  return run(process.execPath, [join(repository, 'dist/main.js'), ...args], { env, okExitCodes: [0, 1, 2] });
}

/** Machines that were started. */
async function machines(): Promise<string[]> {
  const log = await readFile(join(root, 'qemu.log'), 'utf8').catch(() => '');
  return log.split('\n').filter((line) => line.includes('"machine":'));
}

describe('an ISO that is not what it should be', () => {
  it('is not booted: the error names both digests and the file', async () => {
    const wanted = 'a'.repeat(64);
    const { exitCode, stderr } = await build({ urls: [`${url}/there/${fileName}`], sha256: wanted });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${url}/there/${fileName}`);
    expect(stderr).toContain(wanted);
    expect(stderr).toContain(sha256);
    expect(await machines()).toEqual([]);
  });

  it('in a --media folder is not booted either, and is named', async () => {
    const dir = join(root, 'media');
    await mkdir(dir);
    await writeFile(join(dir, fileName), content);
    const wanted = 'b'.repeat(64);
    const { exitCode, stderr } = await build({ urls: [], sha256: wanted }, '--media', dir);
    expect(exitCode).toBe(1);
    for (const part of [join(dir, fileName), wanted, sha256]) expect(stderr).toContain(part);
    expect(await machines()).toEqual([]);
  });

  it('given by --iso is refused before anything runs where the recipe says another digest', async () => {
    const path = join(root, fileName);
    await writeFile(path, content);
    const wanted = 'c'.repeat(64);
    const { exitCode, stderr } = await build({}, '--iso', path, '--set', `installer.sha256=${wanted}`);
    expect(exitCode).toBe(2);
    for (const part of [path, wanted, sha256]) expect(stderr).toContain(part);
  });

  it('and is nowhere: the error names the URL, the archive that was tried, and --media', async () => {
    const urls = [`${url}/gone/${fileName}`, `${url}/archive/${fileName}`];
    const { exitCode, stderr } = await build({ urls });
    expect(exitCode).toBe(1);
    for (const part of [...urls, '404', '--media']) expect(stderr).toContain(part);
    expect(asked).toEqual(urls.map((each) => each.slice(url.length)));
    expect(await machines()).toEqual([]);
  });

  it('but good bytes of something else: the error says what was looked for in it', async () => {
    const { exitCode, stderr } = await build({ urls: [`${url}/there/${fileName}`], sha256, sizeBytes: undefined });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/cannot be used as an ISO/);
    expect(await machines()).toEqual([]);
  });
});
