import { type Dispatcher, EnvHttpProxyAgent, interceptors, request } from 'undici';
import { KvmimgError, messageOf } from '../errors.ts';
import type { Scope } from '../lifecycle/scope.ts';
import { describeNetworkFailure } from './network-failure.ts';

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** The header's value; the first one where a server sends several. */
  readonly header: (name: string) => string | undefined;
  /** The body as it comes, not decoded. Fails with a KvmimgError when the connection breaks or stalls. */
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

  const get = async (url: string, { method, headers, signal }: HttpRequest): Promise<HttpResponse> => {
    const response = await request(url, {
      dispatcher,
      signal,
      method: method ?? 'GET',
      headers: { 'user-agent': 'kvmimg', 'accept-encoding': 'identity', ...headers },
      headersTimeout: stallLimitMs,
      bodyTimeout: stallLimitMs,
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw describeNetworkFailure(url, error);
    });
    // A body that nobody reads to its end fails when the scope closes; that is no news to anybody.
    response.body.on('error', () => {});
    return {
      status: response.statusCode,
      header: (name) => headerOf(response, name),
      body: readBody(url, response, signal, (bytes) => {
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

function headerOf(response: Dispatcher.ResponseData, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

async function* readBody(
  url: string,
  response: Dispatcher.ResponseData,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      onBytes(chunk.length);
      yield chunk;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw describeNetworkFailure(url, error);
  }
}
