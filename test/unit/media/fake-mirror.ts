import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A file of the fake mirror, and how the mirror misbehaves about it. */
export interface FakeFile {
  body: Uint8Array;
  headers?: Record<string, string>;
  /** Bytes of body after which the connection is cut, one for each of the first requests. */
  cuts?: number[];
  ignoresRange?: boolean;
  /** Sent instead of the file, one for each of the first requests. */
  statuses?: number[];
  /** Waits for this before it answers. */
  gate?: Promise<void>;
  /** Never sends a byte beyond this one. */
  stallsAfter?: number;
  /** Said in place of the body's length. */
  contentLength?: number;
}

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

/** A mirror on 127.0.0.1 that serves files from memory and remembers what it was asked. */
export interface FakeMirror {
  readonly url: string;
  readonly files: Map<string, FakeFile>;
  readonly requests: FakeRequest[];
  readonly close: () => Promise<void>;
}

export async function startFakeMirror(files: Record<string, string | Uint8Array | FakeFile> = {}): Promise<FakeMirror> {
  const served = new Map(Object.entries(files).map(([path, file]) => [path, makeFakeFile(file)]));
  const requests: FakeRequest[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    requests.push({ method: request.method ?? '', path, headers: request.headers });
    void serve(served.get(path), request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files: served,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function makeFakeFile(file: string | Uint8Array | FakeFile): FakeFile {
  if (typeof file === 'string') return { body: Buffer.from(file) };
  return file instanceof Uint8Array ? { body: file } : file;
}

async function serve(file: FakeFile | undefined, request: IncomingMessage, response: ServerResponse): Promise<void> {
  await file?.gate;
  const status = file?.statuses?.shift();
  if (!file || status) {
    response.writeHead(status ?? 404).end('no such file');
    return;
  }
  if (file.headers?.etag !== undefined && request.headers['if-none-match'] === file.headers.etag) {
    response.writeHead(304, file.headers).end();
    return;
  }
  const range = file.ignoresRange ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const start = range ? Number(range[1]) : 0;
  if (start > 0 && start >= file.body.length) {
    response.writeHead(416, { 'content-range': `bytes */${file.body.length}` }).end();
    return;
  }
  const body = file.body.subarray(start);
  response.writeHead(range ? 206 : 200, {
    ...file.headers,
    'content-length': file.contentLength ?? body.length,
    ...(range && { 'content-range': `bytes ${start}-${file.body.length - 1}/${file.body.length}` }),
  });
  if (request.method === 'HEAD') response.end();
  else sendBody(file, start, response);
}

function sendBody(file: FakeFile, start: number, response: ServerResponse): void {
  const cut = file.cuts?.shift();
  if (cut !== undefined) {
    // Time for the client to take what was sent: an error drops what it has not read yet.
    response.write(file.body.subarray(start, start + cut), () => setTimeout(() => response.destroy(), 250));
  } else if (file.stallsAfter !== undefined) response.write(file.body.subarray(start, file.stallsAfter));
  else response.end(file.body.subarray(start));
}
