import { fileURLToPath } from 'node:url';
import { KvmimgError, messageOf } from '../errors.ts';

/** Joins a base and a path below it, which may hold characters that a URL must encode. */
export function joinUrl(base: string, path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return `${base.replace(/\/+$/, '')}/${encoded}`;
}

export function isFileUrl(url: string): boolean {
  return /^file:/i.test(url);
}

/** @throws KvmimgError `bad-url` where it is on another host, or no URL */
export function pathOfFileUrl(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new KvmimgError({
      code: 'bad-url',
      message: `${url} names no file of this machine: ${messageOf(cause)}.`,
      hint: 'Write it as file:///folder/file.',
      cause,
    });
  }
}

/** The last part of a URL's path. */
export function fileNameOfUrl(url: string): string {
  return decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '');
}

/** The URL of a file beside the one of this URL. */
export function besideUrl(url: string, fileName: string): string {
  return new URL(encodeURIComponent(fileName), url).href;
}
