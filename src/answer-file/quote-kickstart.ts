import { KvmimgError } from '../errors.ts';
import { quoteShellWord } from '../process/quote-command.ts';

/**
 * One word of a kickstart command. pykickstart splits a line by Python's shlex, with comments: quotes, backslash and `#`
 * mean there what they mean to a POSIX shell. A line ends where Python's `splitlines` says, and nothing can stand for a
 * line break.
 *
 * @param name what the value is, for the error.
 * @throws KvmimgError `answer-file-value`.
 */
export function quoteKickstart(value: string, name: string): string {
  if (/[\p{Cc}\u2028\u2029]/u.test(value))
    throw refusal(value, name, 'it has a line break or another control character');
  return quoteShellWord(value);
}

/**
 * A line of `%packages`, where nothing can be quoted: `#` begins a comment, `@` is a group, a leading `-` leaves a
 * package out, and white space separates options.
 */
export function quoteKickstartPackage(value: string, name: string): string {
  if (/^-?[A-Za-z0-9][A-Za-z0-9*+._-]*$/.test(value)) return value;
  throw refusal(value, name, 'it is not the name of a package');
}

function refusal(value: string, name: string, obstacle: string): KvmimgError {
  return new KvmimgError({
    code: 'answer-file-value',
    message: `${name}: ${JSON.stringify(value)} cannot be written to a kickstart file: ${obstacle}.`,
    hint: 'Choose a value without it.',
  });
}
