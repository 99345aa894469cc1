import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../../src/lifecycle/scope.ts';
import type { Route } from '../../../src/seed-server/route.ts';
import { type RecordedRequest, startSeedServer } from '../../../src/seed-server/seed-server.ts';

let scope: Scope;
let dir: string;
beforeEach(async () => {
  scope = new Scope();
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-seed-'));
  scope.defer('remove the scratch folder', () => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'file'), '0123456789');
});
afterEach(() => scope.close());

const modified = 'Sat, 12 Sep 2026 07:55:41 GMT';
const fileRoute = (): Route => ({
  prefix: 'file',
  handle: () => ({
    status: 200,
    headers: { 'last-modified': modified, etag: '"v1"' },
    file: { path: join(dir, 'file') },
  }),
});

const answerFileRoute = (): Route => ({
  prefix: 'preseed.cfg',
  handle: ({ path }) =>
    path === 'preseed.cfg'
      ? { status: 200, headers: { 'content-type': 'text/plain' }, body: 'd-i ...\n' }
      : { status: 404 },
});

interface Heard {
  readonly callbacks: string[];
  readonly errors: string[];
  readonly requests: RecordedRequest[];
}

async function startServer(...routes: Route[]) {
  const heard: Heard = { callbacks: [], errors: [], requests: [] };
  const server = await startSeedServer({
    routes: [answerFileRoute(), fileRoute(), ...routes],
    scope,
    onCallback: (name, body) => heard.callbacks.push(`${name}: ${body}`),
    onError: (error, path) => heard.errors.push(`${path}: ${String(error)}`),
    onRequest: (recorded) => heard.requests.push(recorded),
  });
  return { server, heard };
}

describe('startSeedServer', () => {
  it('serves below a random token on loopback, and the guest reaches it as 10.0.2.2', async () => {
    const { server } = await startServer();
    const local = server.localUrl('preseed.cfg');
    expect(local).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/preseed\.cfg$/);
    expect(server.guestUrl('preseed.cfg')).toBe(local.replace('127.0.0.1', '10.0.2.2'));
    expect(server.urlPath('debian')).toBe(`/${local.split('/')[3]}/debian`);
    const response = await fetch(local);
    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(response.headers.get('content-length')).toBe('8');
    expect(await response.text()).toBe('d-i ...\n');
  });

  it('gives each server another token', async () => {
    const [one, two] = [await startServer(), await startServer()];
    expect(one.server.urlPath('')).not.toBe(two.server.urlPath(''));
  });

  it('answers 404 to every path without the token, and remembers it', async () => {
    const { server } = await startServer();
    for (const path of ['/', '/preseed.cfg', `/${'0'.repeat(32)}/preseed.cfg`]) {
      expect((await fetch(`http://127.0.0.1:${server.port}${path}`)).status).toBe(404);
    }
    expect(server.requests().map(({ hadToken, path }) => [hadToken, path])).toEqual([
      [false, '/'],
      [false, '/preseed.cfg'],
      [false, `/${'0'.repeat(32)}/preseed.cfg`],
    ]);
  });

  it('records each request with time, status and bytes, without the token', async () => {
    const { server, heard } = await startServer();
    await fetch(server.localUrl('preseed.cfg'));
    await fetch(server.localUrl('none?x=1'));
    const told = server.requests().map(({ method, path, status, bytes }) => [method, path, status, bytes]);
    expect(told).toEqual([
      ['GET', 'preseed.cfg', 200, 8],
      ['GET', 'none', 404, 0],
    ]);
    expect(heard.requests).toEqual(server.requests());
    expect(server.requests()[0]?.time).toBeInstanceOf(Date);
  });

  it('gives a route its decoded path, and only what lies in its prefix', async () => {
    const paths: string[] = [];
    const handle: Route['handle'] = ({ path }) => {
      paths.push(path);
      return { status: 200, body: 'ok' };
    };
    const { server } = await startServer(
      { prefix: 'debian', handle },
      { prefix: 'debian/own', handle: () => ({ status: 410 }) },
    );
    expect((await fetch(server.localUrl('debian/pool/g%2b%2b_1%3a2.deb'))).status).toBe(200);
    expect((await fetch(server.localUrl('debian-security/x'))).status).toBe(404);
    expect((await fetch(server.localUrl('debian/own/x'))).status).toBe(410);
    expect((await fetch(server.localUrl('debian/%zz'))).status).toBe(404);
    expect(paths).toEqual(['debian/pool/g++_1:2.deb']);
  });

  it('answers 500 when a route throws, and tells it', async () => {
    const { server, heard } = await startServer({
      prefix: 'bad',
      handle: () => Promise.reject(new Error('broken')),
    });
    expect((await fetch(server.localUrl('bad'))).status).toBe(500);
    expect(heard.errors).toEqual(['bad: Error: broken']);
  });

  it('answers 500 when the file of a route has gone', async () => {
    const { server, heard } = await startServer({
      prefix: 'gone',
      handle: () => ({ status: 200, file: { path: join(dir, 'gone') } }),
    });
    await expect(fetch(server.localUrl('gone'))).rejects.toThrow();
    expect(heard.errors[0]).toContain('ENOENT');
    expect(server.requests()[0]?.status).toBe(500);
  });
});

describe('files', () => {
  it.each<[string, Record<string, string>, number, string, string | null]>([
    ['whole', {}, 200, '0123456789', null],
    ['from a byte on', { range: 'bytes=4-' }, 206, '456789', 'bytes 4-9/10'],
    ['a part', { range: 'bytes=2-3' }, 206, '23', 'bytes 2-3/10'],
    ['a part beyond the end', { range: 'bytes=8-99' }, 206, '89', 'bytes 8-9/10'],
    ['nothing behind the end', { range: 'bytes=10-' }, 416, '', 'bytes */10'],
    ['whole for other ranges', { range: 'bytes=-3' }, 200, '0123456789', null],
    ['a part if unchanged', { range: 'bytes=8-', 'if-range': '"v1"' }, 206, '89', 'bytes 8-9/10'],
    ['whole if changed', { range: 'bytes=8-', 'if-range': '"v0"' }, 200, '0123456789', null],
    ['304 for the same ETag', { 'if-none-match': '"v1"' }, 304, '', null],
    ['whole for another ETag', { 'if-none-match': '"v0"', 'if-modified-since': modified }, 200, '0123456789', null],
    ['304 if not modified', { 'if-modified-since': modified }, 304, '', null],
    ['whole if modified', { 'if-modified-since': 'Fri, 11 Sep 2026 07:55:41 GMT' }, 200, '0123456789', null],
  ])('are sent %s', async (_, headers, status, text, contentRange) => {
    const { server } = await startServer();
    const response = await fetch(server.localUrl('file'), { headers });
    expect(response.status).toBe(status);
    expect(await response.text()).toBe(text);
    expect(response.headers.get('content-range')).toBe(contentRange);
  });

  it('are told by HEAD without a body', async () => {
    const { server } = await startServer();
    const response = await fetch(server.localUrl('file'), { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe('10');
    expect(response.headers.get('last-modified')).toBe(modified);
    expect(server.requests()[0]?.bytes).toBe(0);
  });

  it('are not taken by POST', async () => {
    const { server } = await startServer();
    expect((await fetch(server.localUrl('file'), { method: 'POST' })).status).toBe(405);
  });
});

describe('callbacks', () => {
  it('come by GET and by POST with a body', async () => {
    const { server, heard } = await startServer();
    await fetch(server.localUrl('callback/early'));
    await fetch(server.localUrl('callback/late'), { method: 'POST', body: 'exit 3\n' });
    expect(heard.callbacks).toEqual(['early: ', 'late: exit 3\n']);
  });

  it('are refused when larger than 1 MiB', async () => {
    const { server, heard } = await startServer();
    const status = await new Promise((resolve, reject) => {
      const sent = request(server.localUrl('callback/log'), { method: 'POST' }, (response) => {
        resolve(response.statusCode);
        sent.destroy();
      });
      sent.on('error', reject);
      sent.end(Buffer.alloc(1024 * 1024 + 1));
    });
    expect(status).toBe(413);
    expect(heard.callbacks).toEqual([]);
  });
});

describe('closing', () => {
  it('ends at once with connections that are open', async () => {
    const { server } = await startServer({ prefix: 'never', handle: () => new Promise(() => {}) });
    const pending = fetch(server.localUrl('never')).catch(() => 'ended');
    const idle = connect(server.port, '127.0.0.1');
    idle.on('error', () => {});
    await new Promise((resolve) => idle.once('connect', resolve));
    const started = performance.now();
    await scope.close();
    expect(await pending).toBe('ended');
    expect(performance.now() - started).toBeLessThan(1000);
    await expect(fetch(server.localUrl('file'))).rejects.toThrow();
  });
});
