import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Scope } from '../lifecycle/scope.ts';
import { defaultGuestNetwork } from '../plan/guest-network.ts';
import { sendResponse } from './response.ts';
import { findRoute, type Route, type RouteResponse } from './route.ts';

/** One request as it was answered. */
export interface RecordedRequest {
  readonly time: Date;
  readonly method: string;
  /** Below the token; the whole path if it had not the token. */
  readonly path: string;
  readonly hadToken: boolean;
  readonly status: number;
  /** Bytes of body sent. */
  readonly bytes: number;
}

export interface SeedServerOptions {
  readonly routes: readonly Route[];
  readonly scope: Scope;
  /** By which the guest reaches the host's loopback through QEMU's user networking. Default: 10.0.2.2. */
  readonly hostAddress?: string;
  /** Called after each request has been answered. */
  readonly onRequest?: (request: RecordedRequest) => void;
  /** The guest has called `callback/<name>`. */
  readonly onCallback?: (name: string, body: string) => void;
  /** A route has thrown; the guest got status 500. */
  readonly onError?: (error: unknown, path: string) => void;
}

export interface SeedServer {
  readonly port: number;
  /** For the guest, at `hostAddress`. */
  readonly guestUrl: (path: string) => string;
  readonly localUrl: (path: string) => string;
  /** `/<token>/<path>`, for installers that want host and folder apart. */
  readonly urlPath: (path: string) => string;
  /** Every request so far, in the order of their answers. */
  readonly requests: () => readonly RecordedRequest[];
  readonly close: () => Promise<void>;
}

const maxCallbackBytes = 1024 * 1024;
const callbackPrefix = 'callback/';

/**
 * Serves the build's routes on 127.0.0.1, below a random token: other processes of the host cannot guess what the
 * guest is given. The scope closes it, and its open connections with it.
 */
export async function startSeedServer(options: SeedServerOptions): Promise<SeedServer> {
  const { hostAddress = defaultGuestNetwork.hostAddress } = options;
  const token = randomBytes(16).toString('hex');
  const requests: RecordedRequest[] = [];
  const server = createServer((request, response) => {
    void answer(request, response, { token, options }).then((recorded) => {
      requests.push(recorded);
      options.onRequest?.(recorded);
    });
  });
  const close = (): Promise<void> => closeServer(server);
  options.scope.defer('close the seed server', close);
  const port = await listen(server);
  const urlPath = (path: string): string => `/${token}/${path}`;
  return {
    port,
    urlPath,
    guestUrl: (path) => `http://${hostAddress}:${port}${urlPath(path)}`,
    localUrl: (path) => `http://127.0.0.1:${port}${urlPath(path)}`,
    requests: () => [...requests],
    close,
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

interface Serving {
  readonly token: string;
  readonly options: SeedServerOptions;
}

async function answer(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<RecordedRequest> {
  const method = request.method ?? 'GET';
  const path = findPath(request.url ?? '', serving.token);
  const recorded = { time: new Date(), method, path: path ?? request.url ?? '', hadToken: path !== undefined };
  const found = path === undefined ? { status: 404 } : await respond(request, path, serving.options);
  try {
    const bytes = await sendResponse(request, response, found);
    return { ...recorded, status: response.statusCode, bytes };
  } catch (error) {
    // The guest hung up, or a file has gone: the connection is of no more use.
    response.destroy();
    if (!request.destroyed) serving.options.onError?.(error, recorded.path);
    return { ...recorded, status: response.headersSent ? response.statusCode : 500, bytes: 0 };
  }
}

/** The decoded path below the token; undefined without the token, or when it cannot be decoded. */
function findPath(url: string, token: string): string | undefined {
  const prefix = `/${token}/`;
  if (!url.startsWith(prefix)) return undefined;
  try {
    return decodeURIComponent(url.slice(prefix.length).split('?', 1)[0] ?? '');
  } catch {
    return undefined;
  }
}

async function respond(request: IncomingMessage, path: string, options: SeedServerOptions): Promise<RouteResponse> {
  try {
    if (path.startsWith(callbackPrefix)) return await takeCallback(request, path, options);
    const method = request.method ?? 'GET';
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: { allow: 'GET, HEAD' } };
    return (await findRoute(options.routes, path)?.handle({ method, path })) ?? { status: 404 };
  } catch (error) {
    options.onError?.(error, path);
    return { status: 500 };
  }
}

async function takeCallback(
  request: IncomingMessage,
  path: string,
  options: SeedServerOptions,
): Promise<RouteResponse> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop must not destroy the request: its connection carries the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxCallbackBytes) return { status: 413, headers: { connection: 'close' } };
    chunks.push(chunk);
  }
  options.onCallback?.(path.slice(callbackPrefix.length), Buffer.concat(chunks).toString('utf8'));
  return { status: 200, body: 'ok\n' };
}
