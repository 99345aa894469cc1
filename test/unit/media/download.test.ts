import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkPatience, type DownloadRequest, download } from '../../../src/media/download.ts';
import { openMirrorCache } from '../../../src/media/mirror-cache.ts';
import { failureOf, listCache, type MediaFixture, makeMediaFixture } from './media-fixture.ts';

let fixture: MediaFixture;
let partialPath: string;
beforeEach(async () => {
  fixture = await makeMediaFixture();
  partialPath = join(fixture.dir, 'partial');
});
afterEach(() => fixture.scope.close());

interface Server {
  readonly url: string;
  readonly requests: IncomingMessage[];
}

/** A server of one's own making on 127.0.0.1; it answers each request by the next listener, and then by the last. */
async function startServer(...listeners: RequestListener[]): Promise<Server> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    listeners[Math.min(requests.length, listeners.length - 1)]?.(request, response);
    requests.push(request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fixture.scope.defer('stop the server', async () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`, requests };
}

/** Downloads, and gives the result and what has arrived. */
async function fetchFrom(url: string, overrides: Partial<DownloadRequest> = {}) {
  const { http } = fixture.sources({});
  const result = await download({ http, url, partialPath, immutable: false, signal: fixture.signal, ...overrides });
  return { result, text: await readFile(partialPath, 'utf8').catch(() => undefined) };
}

const silent: RequestListener = () => {};
const content = '0123456789'.repeat(100);

/** The first bytes, and then a cut, after the client has had time to take them. */
const cutAfter =
  (bytes: number, headers: Record<string, string>): RequestListener =>
  (_, response) => {
    response.writeHead(200, { 'content-length': content.length, ...headers });
    response.write(content.slice(0, bytes), () => setTimeout(() => response.destroy(), 100));
  };

describe('a mirror that does not answer', () => {
  const patience = { answerLimitMs: 100, fruitlessTries: 1 };

  it('is asked once, for 5 seconds, before a build', () => {
    expect(checkPatience).toEqual({ answerLimitMs: 6_000, fruitlessTries: 2 });
  });

  it('is told when it takes a request and says nothing', async () => {
    const { url, requests } = await startServer(silent);
    const started = performance.now();
    const error = await failureOf(fetchFrom(url, { patience }));
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(error.code).toBe('mirror-unreachable');
    expect(error.message).toBe(
      `The mirror ${new URL(url).origin} cannot be reached: it has not answered within 0.1 s.`,
    );
    expect(requests).toHaveLength(1);
  });

  it('is told when it begins and says no more', async () => {
    const { url, requests } = await startServer((_, response) => {
      response.writeHead(200, { 'content-length': 100 }).flushHeaders();
    });
    const error = await failureOf(fetchFrom(url, { patience }));
    expect(error.message).toContain('it stopped sending');
    expect(requests).toHaveLength(1);
  });

  it('is told through the cache as fast, and other requests stay patient', async () => {
    const { url, requests } = await startServer(silent, (_, response) => {
      setTimeout(() => response.end('Suite: trixie\n'), 300);
    });
    const failures: string[] = [];
    const cache = openMirrorCache({
      cacheDir: fixture.cacheDir,
      ...fixture.sources({}),
      upstreams: { debian: url },
      signal: fixture.signal,
      onUpstreamFailure: ({ error }) => failures.push(error.code),
    });
    const path = 'debian/dists/trixie/InRelease';
    expect((await cache.handle({ method: 'HEAD', path, patience })).status).toBe(502);
    expect(failures).toEqual(['mirror-unreachable']);
    expect((await cache.handle({ method: 'GET', path })).status).toBe(200);
    expect(requests).toHaveLength(2);
  });

  it('may take its time over a body that comes', async () => {
    const { url } = await startServer((_, response) => {
      response.writeHead(200, { 'content-length': 4 });
      let left = 4;
      const timer = setInterval(() => {
        response.write('x');
        left -= 1;
        if (left === 0) clearInterval(timer);
      }, 60);
    });
    expect((await fetchFrom(url, { patience })).text).toBe('xxxx');
  });

  it('is told when its name is not known', async () => {
    const error = await failureOf(fetchFrom('http://mirror.invalid/file', { patience: checkPatience }));
    expect(error.code).toBe('mirror-unreachable');
    expect(error.message).toMatch(/^The mirror http:\/\/mirror\.invalid cannot be reached: its name /);
  });
});

describe('a download that goes on', () => {
  it('begins anew where the file has changed, even where the server knows no If-Range', async () => {
    const other = 'abcdefghij'.repeat(100);
    const { url, requests } = await startServer(
      cutAfter(500, { etag: '"one"' }),
      (_, response) => {
        const headers = { etag: '"two"', 'content-range': 'bytes 500-999/1000', 'content-length': 500 };
        response.writeHead(206, headers).end(other.slice(500));
      },
      (_, response) => response.writeHead(200, { etag: '"two"', 'content-length': 1000 }).end(other),
    );
    const { result, text } = await fetchFrom(url);
    expect(text).toBe(other);
    expect(result).toEqual({ kind: 'complete', validators: { etag: '"two"' } });
    expect(requests.map(({ headers }) => [headers.range, headers['if-range']])).toEqual([
      [undefined, undefined],
      ['bytes=500-', '"one"'],
      [undefined, undefined],
    ]);
  });

  it('takes a changed file from its beginning where the server knows If-Range', async () => {
    const other = 'abc';
    const { url } = await startServer(cutAfter(500, { etag: '"one"' }), (_, response) => {
      response.writeHead(200, { etag: '"two"' }).end(other);
    });
    expect((await fetchFrom(url)).text).toBe(other);
  });

  it('asks for the rest where a server sends less than was asked for', async () => {
    const part = (start: number, end: number): RequestListener => {
      const headers = {
        etag: '"one"',
        'content-range': `bytes ${start}-${end - 1}/1000`,
        'content-length': end - start,
      };
      return (_, response) => response.writeHead(206, headers).end(content.slice(start, end));
    };
    const { url } = await startServer(cutAfter(500, { etag: '"one"' }), part(500, 800), part(800, 1000));
    expect((await fetchFrom(url)).text).toBe(content);
  });

  it('begins anew where a server sends another part', async () => {
    const { url } = await startServer(
      cutAfter(500, { etag: '"one"' }),
      (_, response) => response.writeHead(206, { 'content-range': 'bytes 10-999/1000' }).end('x'.repeat(990)),
      (_, response) => response.end(content),
    );
    expect((await fetchFrom(url)).text).toBe(content);
  });
});

describe('the headers that a later request asks with', () => {
  it.each<[string, RequestListener, object]>([
    [
      'are kept of a body of known length',
      (_, response) => response.writeHead(200, { etag: '"v"', 'content-length': 2 }).end('ab'),
      { etag: '"v"' },
    ],
    [
      'are kept of a body in chunks, which tells its end',
      (_, response) => response.writeHead(200, { etag: '"v"', 'transfer-encoding': 'chunked' }).end('ab'),
      { etag: '"v"' },
    ],
    [
      'are dropped of a body that ends with its connection: it may have been cut',
      (_, response) => response.socket?.end('HTTP/1.1 200 OK\r\nETag: "v"\r\nConnection: close\r\n\r\nab'),
      {},
    ],
  ])('%s', async (_, listener, validators) => {
    const { url } = await startServer(listener);
    expect(await fetchFrom(url)).toEqual({ result: { kind: 'complete', validators }, text: 'ab' });
  });
});

describe('redirects', () => {
  const redirect: RequestListener = (_, response) => response.writeHead(302, { location: '/elsewhere' }).end();

  it('are followed', async () => {
    const { url, requests } = await startServer(redirect, (_, response) => response.end('there'));
    expect((await fetchFrom(url)).text).toBe('there');
    expect(requests.map((request) => request.url)).toEqual(['/file', '/elsewhere']);
  });

  it('keep the range that is asked for', async () => {
    const { url, requests } = await startServer(cutAfter(500, { etag: '"v"' }), redirect, (_, response) => {
      response.writeHead(206, { etag: '"v"', 'content-range': 'bytes 500-999/1000' }).end(content.slice(500));
    });
    expect((await fetchFrom(url)).text).toBe(content);
    expect(requests.at(-1)?.headers).toMatchObject({ range: 'bytes=500-', 'if-range': '"v"' });
  });

  const redirectOn: RequestListener = (request, response) =>
    response.writeHead(302, { location: `${request.url}x` }).end();
  const redirectAway: RequestListener = (_, response) =>
    response.writeHead(302, { location: 'ftp://127.0.0.1/' }).end();
  it.each([
    ['in a circle', redirect, 'it redirects in a circle, or to what is no web address'],
    ['to another protocol', redirectAway, 'it redirects in a circle, or to what is no web address'],
    ['without end', redirectOn, 'it redirects without end'],
  ])('%s are the failure of the mirror, not a file that is missing', async (_, listener, reason) => {
    const { url } = await startServer(listener);
    const error = await failureOf(fetchFrom(url));
    expect(error.message).toBe(`The mirror did not deliver ${url}: ${reason}.`);
  });
});

describe('a body that a proxy has compressed unasked', () => {
  const compressed = gzipSync(content);
  const gzip = { 'content-encoding': 'gzip', etag: '"v"' };
  const send: RequestListener = (_, response) =>
    response.writeHead(200, { ...gzip, 'content-length': compressed.length }).end(compressed);

  it('arrives as the file is, without the headers of the compressed one', async () => {
    const { url, requests } = await startServer(send);
    const { result, text } = await fetchFrom(url, { sizeBytes: content.length });
    expect(text).toBe(content);
    expect(result).toEqual({ kind: 'complete', validators: {} });
    expect(requests[0]?.headers['accept-encoding']).toBe('identity');
  });

  it('is left as it is where the file itself is compressed', async () => {
    const { url } = await startServer(send);
    await fetchFrom(url.replace('/file', '/Packages.gz'));
    expect(compressed.equals(await readFile(partialPath))).toBe(true);
  });

  it.each([
    ['cut off', compressed.subarray(0, -10), 'what it sent compressed was cut off'],
    ['no gzip', Buffer.from('plain'), 'what it sent compressed is damaged'],
  ])('is a failure of the mirror when it is %s', async (_, body, reason) => {
    const { url } = await startServer((__, response) => response.writeHead(200, gzip).end(body));
    const error = await failureOf(fetchFrom(url));
    expect([error.code, error.message]).toEqual(['mirror-broken', expect.stringContaining(reason)]);
    expect(await listCache(fixture.dir)).toEqual([]);
  });

  it('is never a part that a file goes on with', async () => {
    const { url, requests } = await startServer(
      cutAfter(500, { etag: '"v"' }),
      (_, response) => {
        response.writeHead(206, { ...gzip, 'content-range': `bytes 500-999/1000` }).end(compressed);
      },
      send,
    );
    expect((await fetchFrom(url)).text).toBe(content);
    expect(requests).toHaveLength(3);
  });
});
