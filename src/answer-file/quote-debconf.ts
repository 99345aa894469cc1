import { KvmimgError } from '../errors.ts';

/**
 * A value in a preseed file. The format has no quoting: a value is the rest of its line, so what cannot be in one is
 * refused. d-i's debconf-set-selections ends a line at a newline, drops every carriage return, takes a final backslash
 * as "goes on in the next line", and strips the white space around the value. Everything else stays as it is.
 *
 * @param name what the value is, for the error.
 * @throws KvmimgError `answer-file-value`.
 */
export function quoteDebconf(value: string, name: string): string {
  const obstacle = findObstacle(value);
  if (obstacle === undefined) return value;
  throw new KvmimgError({
    code: 'answer-file-value',
    message: `${name}: ${JSON.stringify(value)} cannot be written to a preseed file: ${obstacle}.`,
    hint: 'Choose a value without it.',
  });
}

function findObstacle(value: string): string | undefined {
  if (/\p{Cc}/u.test(value)) return 'it has a line break or another control character';
  if (value.endsWith('\\')) return 'it ends with a backslash';
  return value === value.trim() ? undefined : 'it begins or ends with white space';
}
