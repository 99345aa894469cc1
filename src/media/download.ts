import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { KvmimgError } from '../errors.ts';
import { describeWriteFailure } from './disk-space.ts';
import type { HttpClient, HttpResponse } from './http.ts';
import { isWorthAnotherTry } from './network-failure.ts';

/** Called as bytes arrive; `totalBytes` where the length is known. */
export type OnProgress = (bytes: number, totalBytes: number | undefined) => void;

export interface DownloadRequest {
  readonly http: HttpClient;
  readonly url: string;
  /** Where the bytes go; what it holds already is the beginning of the file, if `immutable`. */
  readonly partialPath: string;
  /** The content behind the URL never changes, so any beginning of it can be continued. */
  readonly immutable: boolean;
  /** The length, where it is known: another one ends the download at once. */
  readonly sizeBytes?: number | undefined;
  /** Conditional headers; they make `not-modified` possible. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: that of the client, and two tries. */
  readonly patience?: Patience | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress | undefined;
}

/** How long and how often a server is asked. */
export interface Patience {
  /** Within which the server must be reached and begin to answer; no silence in the answer may be longer. */
  readonly answerLimitMs: number;
  /** Tries in a row that bring no new byte before the server is given up. */
  readonly fruitlessTries: number;
}

/** Before a build: who waits at the terminal is told of a mirror that is away within 15 s, and not for one bad moment of it. */
export const checkPatience: Patience = { answerLimitMs: 6_000, fruitlessTries: 2 };

/** The headers that a later request can ask with, and a cache must pass on. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

export type DownloadResult =
  | { readonly kind: 'complete'; readonly validators: Validators }
  | { readonly kind: 'not-modified' }
  | { readonly kind: 'refused'; readonly status: number };

const fruitlessTries = 2;

/**
 * Downloads one URL into a file, continuing where a cut connection ended. The caller checks the digest.
 *
 * @throws KvmimgError `mirror-unreachable` at once; `mirror-broken` after two tries (or `patience`) without a new byte;
 *   `wrong-length`; `no-space`; the signal's reason. The partial file stays where it can be continued.
 */
export async function download(request: DownloadRequest): Promise<DownloadResult> {
  const seen: { validators: Validators } = { validators: {} };
  if (!request.immutable) await rm(request.partialPath, { force: true });
  let furthestBytes = 0;
  let fruitless = 0;
  for (;;) {
    try {
      return await attempt(request, seen);
    } catch (error) {
      request.signal.throwIfAborted();
      const bytes = await sizeOf(request.partialPath);
      fruitless = bytes > furthestBytes ? 0 : fruitless + 1;
      furthestBytes = Math.max(bytes, furthestBytes);
      if (!isWorthAnotherTry(error) || fruitless >= (request.patience?.fruitlessTries ?? fruitlessTries)) {
        await dropUseless(request, error, bytes);
        throw error;
      }
      await sleep(200 * fruitless, undefined, { signal: request.signal }).catch(() => request.signal.throwIfAborted());
    }
  }
}

async function dropUseless(request: DownloadRequest, error: unknown, bytes: number): Promise<void> {
  const canContinue = request.immutable && bytes > 0 && isWorthAnotherTry(error);
  if (!canContinue) await rm(request.partialPath, { force: true });
}

async function attempt(request: DownloadRequest, seen: { validators: Validators }): Promise<DownloadResult> {
  const offset = await findOffset(request, seen.validators);
  if (offset > 0 && offset === request.sizeBytes) return { kind: 'complete', validators: {} };
  const response = await request.http.get(request.url, {
    signal: request.signal,
    headers: offset > 0 ? rangeHeaders(offset, seen.validators) : { ...request.headers },
    answerLimitMs: request.patience?.answerLimitMs,
  });
  if (isWhole(response, offset)) {
    await response.discard();
    return { kind: 'complete', validators: {} };
  }
  if (response.status !== 200 && response.status !== 206) return withoutBody(request, response);
  const part = response.status === 206 ? partOf(response) : { start: 0, totalBytes: lengthOf(response) };
  if (part.start !== 0) await checkSameFile(request, response, { part, offset, before: seen.validators });
  seen.validators = validatorsOf(response);
  await receive(request, response, part);
  return { kind: 'complete', validators: seen.validators };
}

/** Of a file whose length was not known, what was received before may be all (RFC 9110, section 15.5.17). */
function isWhole(response: HttpResponse, offset: number): boolean {
  return response.status === 416 && response.header('content-range') === `bytes */${offset}`;
}

async function findOffset(request: DownloadRequest, validators: Validators): Promise<number> {
  if (!request.immutable && ifRangeOf(validators) === undefined) return 0;
  const bytes = await sizeOf(request.partialPath);
  return request.sizeBytes !== undefined && bytes > request.sizeBytes ? 0 : bytes;
}

function rangeHeaders(offset: number, validators: Validators): Record<string, string> {
  const ifRange = ifRangeOf(validators);
  return { range: `bytes=${offset}-`, ...(ifRange === undefined ? {} : { 'if-range': ifRange }) };
}

/** A weak ETag must not be used with If-Range (RFC 9110, section 13.1.5). */
function ifRangeOf(validators: Validators): string | undefined {
  return validators.etag?.startsWith('"') ? validators.etag : validators.lastModified;
}

/** A server that knows no If-Range continues with another file than it began with: the next try begins anew. */
async function checkSameFile(
  request: DownloadRequest,
  response: HttpResponse,
  { part, offset, before }: { part: Part; offset: number; before: Validators },
): Promise<void> {
  const now = validatorsOf(response);
  const isSame = (name: keyof Validators) => (before[name] ?? now[name]) === (now[name] ?? before[name]);
  const isContinued = part.start === offset;
  if (isContinued && isSame('etag') && isSame('lastModified')) return;
  await response.discard();
  await rm(request.partialPath, { force: true });
  throw broken(request.url, isContinued ? 'the file has changed meanwhile' : 'it sent another part than was asked for');
}

async function withoutBody(request: DownloadRequest, response: HttpResponse): Promise<DownloadResult> {
  await response.discard();
  if (response.status === 304) return { kind: 'not-modified' };
  if (response.status === 416) {
    await rm(request.partialPath, { force: true });
    throw broken(request.url, 'it has less of the file than was received before');
  }
  if (response.status >= 300 && response.status < 400) throw broken(request.url, 'it redirects without end');
  if (response.status >= 500 || response.status === 429) throw broken(request.url, `it answers ${response.status}`);
  return { kind: 'refused', status: response.status };
}

async function receive(request: DownloadRequest, response: HttpResponse, part: Part): Promise<void> {
  const { start, totalBytes } = part;
  if (totalBytes !== undefined) checkLength(request, totalBytes);
  const file = await open(request.partialPath, start > 0 ? 'a' : 'w').catch((error: unknown) => {
    throw describeWriteFailure(request.partialPath, error);
  });
  try {
    const bytes = await writeBody(request, response, { file, ...part });
    if (totalBytes !== undefined && bytes !== totalBytes) throw broken(request.url, 'it ended too early');
    checkLength(request, bytes);
  } finally {
    await file.close();
  }
}

async function writeBody(
  request: DownloadRequest,
  response: HttpResponse,
  target: Part & { readonly file: FileHandle },
): Promise<number> {
  let bytes = target.start;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (request.sizeBytes !== undefined && bytes > request.sizeBytes) checkLength(request, bytes);
    await target.file.writeFile(chunk).catch((error: unknown) => {
      throw describeWriteFailure(request.partialPath, error);
    });
    request.onProgress?.(bytes, request.sizeBytes ?? target.totalBytes);
  }
  return bytes;
}

function checkLength(request: DownloadRequest, bytes: number): void {
  if (request.sizeBytes === undefined || bytes === request.sizeBytes) return;
  throw new KvmimgError({
    code: 'wrong-length',
    message: `${request.url} has the wrong length: ${bytes} bytes (or more) came, ${request.sizeBytes} were expected.`,
    hint: 'The mirror or a proxy on the way holds another file under this name. Try another mirror.',
  });
}

/** Where a response's body begins in the file, and the file's length where it is told. */
interface Part {
  readonly start: number;
  readonly totalBytes: number | undefined;
}

function partOf(response: HttpResponse): Part {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.header('content-range') ?? '') ?? [];
  const lengthBytes = lengthOf(response);
  const endBytes = lengthBytes === undefined ? undefined : Number(start) + lengthBytes;
  // A server may send less than was asked for (RFC 9110, section 15.3.7).
  return { start: Number(start), totalBytes: total === undefined || total === '*' ? endBytes : Number(total) };
}

function lengthOf(response: HttpResponse): number | undefined {
  const contentLength = response.header('content-length');
  return contentLength === undefined ? undefined : Number(contentLength);
}

/** None of a body whose end nobody has told: 304 would make what may have been cut off last for ever. */
function validatorsOf(response: HttpResponse): Validators {
  const etag = response.header('etag');
  const lastModified = response.header('last-modified');
  if (lengthOf(response) === undefined && response.header('transfer-encoding') === undefined) return {};
  return { ...(etag === undefined ? {} : { etag }), ...(lastModified === undefined ? {} : { lastModified }) };
}

function broken(url: string, reason: string): KvmimgError {
  return new KvmimgError({
    code: 'mirror-broken',
    message: `The mirror did not deliver ${url}: ${reason}.`,
    hint: 'Try again, or name another mirror with --mirror.',
  });
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}
