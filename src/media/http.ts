import { type Dispatcher, EnvHttpProxyAgent, interceptors, request } from 'undici';
import { KvmimgError, messageOf } from '../errors.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { decompressed, headersOfEncoded, isCompressedOnTheWay } from './body-encoding.ts';
import { describeNetworkFailure, noAnswer } from './network-failure.ts';

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  /** Within which the server must be reached and begin to answer, and send the next bytes. Default: the client's limits. */
  readonly answerLimitMs?: number | undefined;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** The header's value; the first one where a server sends several. */
  readonly header: (name: string) => string | undefined;
  /** The body as the file is: decompressed only where a proxy has compressed it on the way. Fails with a KvmimgError when the connection breaks or stalls. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Drops the body. */
  readonly discard: () => Promise<void>;
}

/** The one way to the network. Follows redirects; goes through the proxy of the recipe or of the environment. */
export interface HttpClient {
  readonly get: (url: string, options: HttpRequest) => Promise<HttpResponse>;
  /** Bytes of bodies received since the start. */
  readonly receivedBytes: () => number;
}

export interface HttpClientOptions {
  /** The recipe's proxy. Default: `http_proxy`, `https_proxy` and `no_proxy` of the environment. */
  readonly proxy?: string | undefined;
  readonly scope: Scope;
  readonly connectLimitMs?: number;
  /** A server that sends no byte for this long counts as broken. */
  readonly stallLimitMs?: number;
}

/**
 * Opens the client; the scope closes its connections.
 *
 * @throws KvmimgError `bad-proxy` where a variable of the environment names no URL.
 *
 * `get` throws KvmimgError `mirror-unreachable` or `mirror-broken` with a sentence, or the signal's reason.
 */
export function openHttpClient(options: HttpClientOptions): HttpClient {
  const connectLimitMs = options.connectLimitMs ?? 10_000;
  const stallLimitMs = options.stallLimitMs ?? 30_000;
  const agent = makeAgent(options.proxy, connectLimitMs);
  options.scope.defer('close HTTP connections', () => agent.destroy());
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 5 }));
  let receivedBytes = 0;

  const get = async (url: string, { method, headers, answerLimitMs, signal }: HttpRequest): Promise<HttpResponse> => {
    const limit = startLimit(url, answerLimitMs);
    const silenceLimitMs = answerLimitMs ?? stallLimitMs;
    const response = await request(url, {
      dispatcher,
      signal: limit ? AbortSignal.any([signal, limit.signal]) : signal,
      method: method ?? 'GET',
      headers: { 'user-agent': 'kvmimg', 'accept-encoding': 'identity', ...headers },
      headersTimeout: silenceLimitMs,
      bodyTimeout: silenceLimitMs,
    })
      .catch((error: unknown) => {
        signal.throwIfAborted();
        throw describeNetworkFailure(url, error);
      })
      .finally(() => limit?.clear());
    // A body that nobody reads to its end fails when the scope closes; that is no news to anybody.
    response.body.on('error', () => {});
    const isEncoded = isCompressedOnTheWay(url, headerOf(response, 'content-encoding'));
    return {
      status: response.statusCode,
      header: (name) => (isEncoded && headersOfEncoded.has(name) ? undefined : headerOf(response, name)),
      body: readBody(url, isEncoded ? decompressed(response.body) : response.body, signal, (bytes) => {
        receivedBytes += bytes;
      }),
      discard: async () => {
        await response.body.dump({ limit: 64 * 1024 }).catch(() => {});
      },
    };
  };
  return { get, receivedBytes: () => receivedBytes };
}

function makeAgent(proxy: string | undefined, connectLimitMs: number): EnvHttpProxyAgent {
  try {
    return new EnvHttpProxyAgent({
      connect: { timeout: connectLimitMs },
      // Node's 250 ms an address give up on far mirrors.
      autoSelectFamilyAttemptTimeout: 2_000,
      // Package proxies (squid, apt-cacher-ng) want plain requests for http:// and refuse CONNECT to port 80.
      proxyTunnel: false,
      ...(proxy === undefined ? {} : { httpProxy: proxy, httpsProxy: proxy }),
    });
  } catch (cause) {
    throw new KvmimgError({
      code: 'bad-proxy',
      message: `The proxy in http_proxy or https_proxy cannot be used: ${messageOf(cause)}.`,
      hint: 'Write it as http://proxy.example.org:3128, or set `proxy` in the recipe.',
      cause,
    });
  }
}

interface Limit {
  readonly signal: AbortSignal;
  readonly clear: () => void;
}

function startLimit(url: string, limitMs: number | undefined): Limit | undefined {
  if (limitMs === undefined) return undefined;
  const controller = new AbortController();
  const giveUp = (): void => controller.abort(noAnswer(url, limitMs));
  const timer = setTimeout(giveUp, limitMs);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

function headerOf(response: Dispatcher.ResponseData, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

async function* readBody(
  url: string,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of body) {
      onBytes(chunk.length);
      yield chunk;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw describeNetworkFailure(url, error);
  }
}
