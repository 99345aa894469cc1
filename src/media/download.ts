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
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress | undefined;
}

/** The headers that a later request can ask with, and a cache must pass on. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

export type DownloadResult =
  | { readonly kind: 'complete'; readonly validators: Validators }
  | { readonly kind: 'not-modified' }
  | { readonly kind: 'refused'; readonly status: number };

/** Tries in a row that bring no new byte before a download is given up. */
const fruitlessTries = 2;

/**
 * Downloads one URL into a file, continuing where a cut connection ended. The caller checks the digest.
 *
 * @throws KvmimgError `mirror-unreachable` at once; `mirror-broken` after two tries without a new byte;
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
      if (!isWorthAnotherTry(error) || fruitless >= fruitlessTries) {
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
  });
  if (isWhole(response, offset)) {
    await response.discard();
    return { kind: 'complete', validators: {} };
  }
  if (response.status !== 200 && response.status !== 206) return withoutBody(request, response);
  seen.validators = validatorsOf(response);
  const start = response.status === 206 ? startOfRange(response) : 0;
  if (start !== 0 && start !== offset) throw broken(request.url, 'it sent another part than was asked for');
  await receive(request, response, start);
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

async function withoutBody(request: DownloadRequest, response: HttpResponse): Promise<DownloadResult> {
  await response.discard();
  if (response.status === 304) return { kind: 'not-modified' };
  if (response.status === 416) {
    await rm(request.partialPath, { force: true });
    throw broken(request.url, 'it has less of the file than was received before');
  }
  if (response.status >= 500 || response.status === 429) throw broken(request.url, `it answers ${response.status}`);
  return { kind: 'refused', status: response.status };
}

async function receive(request: DownloadRequest, response: HttpResponse, start: number): Promise<void> {
  const contentLength = response.header('content-length');
  const totalBytes = contentLength === undefined ? undefined : start + Number(contentLength);
  if (totalBytes !== undefined) checkLength(request, totalBytes);
  const file = await open(request.partialPath, start > 0 ? 'a' : 'w').catch((error: unknown) => {
    throw describeWriteFailure(request.partialPath, error);
  });
  try {
    const bytes = await writeBody(request, response, { file, start, totalBytes });
    if (totalBytes !== undefined && bytes !== totalBytes) throw broken(request.url, 'it ended too early');
    checkLength(request, bytes);
  } finally {
    await file.close();
  }
}

async function writeBody(
  request: DownloadRequest,
  response: HttpResponse,
  target: { file: FileHandle; start: number; totalBytes: number | undefined },
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

function startOfRange(response: HttpResponse): number {
  return Number(/^bytes (\d+)-/.exec(response.header('content-range') ?? '')?.[1] ?? Number.NaN);
}

function validatorsOf(response: HttpResponse): Validators {
  const etag = response.header('etag');
  const lastModified = response.header('last-modified');
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
