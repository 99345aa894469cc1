import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RouteResponse, ServedFile } from './route.ts';

interface ByteRange {
  readonly start: number;
  /** The last byte that is sent. */
  readonly end: number;
}

/**
 * Sends a route's response: HEAD without a body, one byte range, and 304 where the guest has it already.
 *
 * @returns the bytes of body sent
 * @throws what reading the file or writing to the connection throws
 */
export async function sendResponse(
  request: IncomingMessage,
  response: ServerResponse,
  answer: RouteResponse,
): Promise<number> {
  const sizeBytes = await sizeOf(answer);
  const range = answer.status === 200 ? findRange(request, answer, sizeBytes) : undefined;
  const status = isNotModified(request, answer) ? 304 : statusOf(answer, range);
  response.writeHead(status, { ...answer.headers, ...lengthHeaders(status, range, sizeBytes) });
  if (request.method === 'HEAD' || status === 304 || range === 'unsatisfiable') {
    response.end();
    return 0;
  }
  await pipeline(openBody(answer, range), response);
  return range === undefined ? sizeBytes : range.end - range.start + 1;
}

async function sizeOf(answer: RouteResponse): Promise<number> {
  if (answer.file) return answer.file.part?.sizeBytes ?? (await stat(answer.file.path)).size;
  return Buffer.byteLength(answer.body ?? '');
}

function statusOf(answer: RouteResponse, range: ByteRange | 'unsatisfiable' | undefined): number {
  if (range === undefined) return answer.status;
  return range === 'unsatisfiable' ? 416 : 206;
}

function lengthHeaders(
  status: number,
  range: ByteRange | 'unsatisfiable' | undefined,
  sizeBytes: number,
): Record<string, string | number> {
  if (status === 304) return {};
  if (range === undefined) return { 'content-length': sizeBytes, ...(status === 200 && { 'accept-ranges': 'bytes' }) };
  if (range === 'unsatisfiable') return { 'content-length': 0, 'content-range': `bytes */${sizeBytes}` };
  return {
    'content-length': range.end - range.start + 1,
    'content-range': `bytes ${range.start}-${range.end}/${sizeBytes}`,
  };
}

function isNotModified(request: IncomingMessage, answer: RouteResponse): boolean {
  const wantedTag = request.headers['if-none-match'];
  if (answer.status !== 200) return false;
  if (wantedTag !== undefined) return wantedTag === answer.headers?.etag;
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  return Date.parse(answer.headers?.['last-modified'] ?? '') <= since;
}

/** The one range that wget and apt ask for when they resume; anything else gets the whole. */
function findRange(
  request: IncomingMessage,
  answer: RouteResponse,
  sizeBytes: number,
): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const ifRange = request.headers['if-range'];
  if (!match) return undefined;
  if (ifRange !== undefined && ![answer.headers?.etag, answer.headers?.['last-modified']].includes(String(ifRange))) {
    return undefined;
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  return start > end ? 'unsatisfiable' : { start, end };
}

function openBody(answer: RouteResponse, range: ByteRange | undefined): Readable {
  if (answer.file) return openFile(answer.file, range);
  const body = Buffer.from(answer.body ?? '');
  return Readable.from(range === undefined ? [body] : [body.subarray(range.start, range.end + 1)]);
}

function openFile({ path, part }: ServedFile, range: ByteRange | undefined): Readable {
  const highWaterMark = 1 << 18;
  if (part === undefined) return createReadStream(path, { ...range, highWaterMark });
  // A stream's end is its last byte, so that an empty part cannot be said.
  if (part.sizeBytes === 0) return Readable.from([]);
  const { start, end } = range ?? { start: 0, end: part.sizeBytes - 1 };
  return createReadStream(path, { start: part.offsetBytes + start, end: part.offsetBytes + end, highWaterMark });
}
