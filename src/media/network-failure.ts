import { KvmimgError, messageOf, systemErrorCode } from '../errors.ts';

/** What the codes of Node and undici mean; `reached` says whether a connection had stood. */
const failures: Readonly<Record<string, { readonly reason: string; readonly reached: boolean }>> = {
  ECONNREFUSED: { reason: 'connection refused', reached: false },
  ENOTFOUND: { reason: 'its name is not known', reached: false },
  EAI_AGAIN: { reason: 'its name cannot be looked up now', reached: false },
  EHOSTUNREACH: { reason: 'no route to host', reached: false },
  ENETUNREACH: { reason: 'the network is unreachable', reached: false },
  ETIMEDOUT: { reason: 'it does not answer', reached: false },
  UND_ERR_CONNECT_TIMEOUT: { reason: 'it does not answer', reached: false },
  ECONNRESET: { reason: 'it closed the connection', reached: true },
  EPIPE: { reason: 'it closed the connection', reached: true },
  UND_ERR_SOCKET: { reason: 'it closed the connection', reached: true },
  UND_ERR_HEADERS_TIMEOUT: { reason: 'it took the request and sent nothing', reached: true },
  UND_ERR_BODY_TIMEOUT: { reason: 'it stopped sending', reached: true },
  // All else that undici says by this code is about arguments that no caller gives.
  UND_ERR_INVALID_ARG: { reason: 'it redirects in a circle, or to what is no web address', reached: true },
  Z_BUF_ERROR: { reason: 'what it sent compressed was cut off', reached: true },
  Z_DATA_ERROR: { reason: 'what it sent compressed is damaged', reached: true },
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: { reason: 'it sent another number of bytes than it had said', reached: true },
};

/** Makes a sentence of what Node or undici throws: `mirror-unreachable` before, `mirror-broken` after connecting. */
export function describeNetworkFailure(url: string, error: unknown): KvmimgError {
  if (error instanceof KvmimgError) return error;
  const known = failures[networkErrorCode(error) ?? ''];
  const reason = known?.reason ?? messageOf(error);
  if (known?.reached) {
    return new KvmimgError({
      code: 'mirror-broken',
      message: `The mirror did not deliver ${url}: ${reason}.`,
      hint: 'Try again; what has arrived is kept and the download goes on from there.',
      cause: error,
    });
  }
  return unreachable(url, reason, error);
}

/** The failure of a server that has not begun to answer within a limit. */
export function noAnswer(url: string, limitMs: number): KvmimgError {
  return unreachable(url, `it has not answered within ${limitMs / 1000} s`);
}

function unreachable(url: string, reason: string, cause?: unknown): KvmimgError {
  return new KvmimgError({
    code: 'mirror-unreachable',
    message: `The mirror ${originOf(url)} cannot be reached: ${reason}.`,
    hint: `Check the network and the proxy, or name another mirror with --mirror. Wanted was ${url}`,
    cause,
  });
}

/** True where a second try from where the first ended makes sense. */
export function isWorthAnotherTry(error: unknown): boolean {
  return error instanceof KvmimgError && error.code === 'mirror-broken';
}

function networkErrorCode(error: unknown): string | undefined {
  const code = systemErrorCode(error);
  if (code !== undefined && code in failures) return code;
  // Several addresses tried: the first one's failure stands for all.
  if (error instanceof AggregateError && error.errors.length > 0) return networkErrorCode(error.errors[0]);
  return error instanceof Error && error.cause !== undefined ? networkErrorCode(error.cause) : code;
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}
