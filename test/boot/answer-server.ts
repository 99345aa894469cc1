import { readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Scope } from '../../src/lifecycle/scope.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface AnswerServer {
  readonly port: number;
  readonly requests: SeenRequest[];
  /** What is served, by path with its leading slash. */
  readonly files: Map<string, string>;
}

/** Serves answer files and takes what is posted, on 127.0.0.1; other paths come from `folder`, or are 404. */
export async function startAnswerServer(scope: Scope, folder?: string): Promise<AnswerServer> {
  const files = new Map<string, string>();
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = [];
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    request.on('end', async () => {
      const { method = '', url: path = '', headers } = request;
      requests.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
      const fromFolder = folder && (await readFile(join(folder, path)).catch(() => undefined));
      const content = method === 'POST' ? 'ok\n' : (files.get(path) ?? fromFolder);
      response.writeHead(content === undefined ? 404 : 200);
      response.end(content);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer('answer server', () => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, requests, files };
}

/** Receives a log by TCP on 127.0.0.1, as rsyslog forwards it. */
export async function startTcpSyslog(scope: Scope): Promise<{ readonly port: number; readonly lines: () => string[] }> {
  let received = '';
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('data', (data) => {
      received += data.toString();
    });
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer('syslog', () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    lines: () => received.split('\n').filter((line) => line !== ''),
  };
}
